package allocator

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/tidemark-pg/tidemark/tracker/allocator/internal/ledger"
)

// database is the pool and the statements that the configuration leads to.
type database struct {
	pool     *pgxpool.Pool
	cfg      Config
	sequence uint32 // oids
	stored   uint32 // of the positions table; 0 without one
	geometry ledger.Geometry

	lastValue, draw, register, own, update, positions, newest, remove string
}

// openDatabase looks the relations up, and refuses what cannot work.
func openDatabase(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*database, error) {
	db := &database{pool: pool, cfg: cfg, lastValue: lastValue(cfg.Sequence)}
	if err := db.inspectSequence(ctx); err != nil {
		return nil, err
	}
	if err := db.inspectWAL(ctx); err != nil {
		return nil, err
	}
	if !cfg.keepsPositions() {
		db.draw = "SELECT nextval($1::oid::regclass) FROM generate_series(1, $2::int8) WHERE $3::text || $4::text IS NOT NULL"
		db.newest = newestRows(cfg)
		return db, nil
	}
	err := pool.QueryRow(ctx, "SELECT $1::text::regclass::oid", cfg.PositionsTable).Scan(&db.stored)
	if err != nil {
		return nil, fmt.Errorf("look up positions table %s: %w", cfg.PositionsTable, err)
	}
	db.writeStatements()
	return db, nil
}

// writeStatements fills in those that concern the positions table.
func (db *database) writeStatements() {
	table := db.cfg.PositionsTable
	further := "<" // the stored position moves away from zero only
	if db.cfg.Descending {
		further = ">"
	}
	const row = " WHERE stream_name = $1 AND instance_name = $2"
	// Drawn from one's own row: an instance that is not registered gets no id,
	// whoever took its row away. RULES 15.
	db.draw = "SELECT nextval($1::oid::regclass) FROM " + table + ", generate_series(1, $2::int8)" +
		" WHERE stream_name = $3 AND instance_name = $4"
	db.own = "SELECT stream_id FROM " + table + row
	db.register = "INSERT INTO " + table + " (stream_name, instance_name, stream_id) VALUES ($1, $2, $3)" +
		" ON CONFLICT (stream_name, instance_name) DO NOTHING"
	// Only on the server that the position is of: what it answers tells.
	// A row that is gone does not come back by it: the lease need not be held.
	db.update = "WITH here AS MATERIALIZED (SELECT (" + histories + ") AS history), put AS (UPDATE " + table +
		" SET stream_id = $3::int8 FROM here" + row + " AND history = $4 AND stream_id " + further + " $3::int8)" +
		" SELECT history, EXISTS (SELECT FROM " + table + row + ") FROM here"
	db.positions = "SELECT instance_name, stream_id FROM " + table + " WHERE stream_name = $1"
	// Rows that another process removes at this moment are skipped: nobody
	// waits, and nobody gets a serialization failure.
	db.remove = "WITH gone AS (SELECT ctid FROM " + table + " WHERE stream_name = $1 AND instance_name = ANY($2)" +
		" FOR UPDATE SKIP LOCKED) DELETE FROM " + table + " AS stored USING gone WHERE stored.ctid = gone.ctid" +
		" RETURNING instance_name"
}

func newestRows(cfg Config) string {
	var parts []string
	for _, t := range cfg.Tables {
		instance := "''"
		if t.InstanceColumn != "" {
			instance = "coalesce(" + column(t.InstanceColumn) + ", '')"
		}
		newest, beyond := "max", ">"
		if cfg.Descending {
			newest, beyond = "min", "<"
		}
		id := column(t.IDColumn)
		parts = append(parts, "SELECT "+instance+"::text, "+newest+"("+id+")::int8 FROM "+t.Name+
			" WHERE "+id+" "+beyond+" 0 GROUP BY 1")
	}
	if len(parts) == 0 {
		return "SELECT ''::text, 0::int8 WHERE false"
	}
	return strings.Join(parts, " UNION ALL ")
}

const sequenceProperties = `SELECT s.seqrelid, s.seqincrement, s.seqcache, s.seqcycle, c.relpersistence::text
FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid WHERE s.seqrelid = $1::text::regclass`

func (db *database) inspectSequence(ctx context.Context) error {
	var increment, cache int64
	var cycle bool
	var persistence string
	name := db.cfg.Sequence
	err := db.pool.QueryRow(ctx, sequenceProperties, name).Scan(&db.sequence, &increment, &cache, &cycle, &persistence)
	if errors.Is(err, pgx.ErrNoRows) {
		return fmt.Errorf("%s is not a sequence", name)
	}
	if err != nil {
		return fmt.Errorf("look up sequence %s: %w", name, err)
	}
	var problems []error
	if cache != 1 {
		problems = append(problems, fmt.Errorf("sequence %s has CACHE %d: sessions keep unused ids and use them after later ones; ALTER SEQUENCE %s CACHE 1", name, cache, name))
	}
	if increment != 1 {
		problems = append(problems, fmt.Errorf("sequence %s has INCREMENT %d: its ids do not follow each other; ALTER SEQUENCE %s INCREMENT 1", name, increment, name))
	}
	if cycle {
		problems = append(problems, fmt.Errorf("sequence %s has CYCLE: ids would start over; ALTER SEQUENCE %s NO CYCLE", name, name))
	}
	if persistence != "p" {
		problems = append(problems, fmt.Errorf("sequence %s is unlogged or temporary: after a crash its ids start over; ALTER SEQUENCE %s SET LOGGED", name, name))
	}
	return errors.Join(problems...)
}

func (db *database) inspectWAL(ctx context.Context) error {
	var block, segment int64
	err := db.pool.QueryRow(ctx, `SELECT max(setting::int8) FILTER (WHERE name = 'wal_block_size'),
		max(setting::int8) FILTER (WHERE name = 'wal_segment_size') FROM pg_settings
		WHERE name IN ('wal_block_size', 'wal_segment_size')`).Scan(&block, &segment)
	if err != nil {
		return fmt.Errorf("ask how the server cuts its WAL: %w", err)
	}
	db.geometry = ledger.Geometry{Block: ledger.LSN(block), Segment: ledger.LSN(segment)}
	return nil
}

// outward turns an id or position as the sequence counts into what users see.
func (c Config) outward(id int64) int64 {
	if c.Descending {
		return -id
	}
	return id
}

// inward is the inverse; the least int64 has no mirror, and no sequence can
// draw it.
func (c Config) inward(id int64) int64 {
	if c.Descending && id < 0 {
		return -max(id, -1<<63+1)
	}
	if c.Descending {
		return -id
	}
	return id
}

// reading is one look at the sequence and at the WAL after it.
type reading struct {
	last     int64
	sequence string // which: see lastValue
	wal      wal
}

// read takes a reading, over the lease's connection where a claim follows.
func (db *database) read(ctx context.Context, q querier) (r reading, err error) {
	b := &pgx.Batch{}
	b.Queue(db.lastValue)
	b.Queue(walNow)
	answers := q.SendBatch(ctx, b)
	err = answers.QueryRow().Scan(&r.last, &r.sequence)
	if err == nil {
		err = r.wal.scan(answers.QueryRow(), db.geometry)
	}
	if closing := answers.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return r, fmt.Errorf("read sequence %s: %w", db.cfg.Sequence, err)
	}
	return r, nil
}

// look asks how far the WAL is flushed; force makes the server flush it first.
func (db *database) look(ctx context.Context, q querier, force bool) (w wal, err error) {
	if force {
		b := &pgx.Batch{}
		flushNow(b)
		if err := q.SendBatch(ctx, b).Close(); err != nil {
			return w, fmt.Errorf("have the WAL flushed: %w", err)
		}
	}
	if err := w.scan(q.QueryRow(ctx, walNow), db.geometry); err != nil {
		return w, fmt.Errorf("ask how far the WAL is flushed: %w", err)
	}
	return w, nil
}

// flush has all WAL put on disk that was written at w.
func (db *database) flush(ctx context.Context, q querier, w wal) (wal, error) {
	at := w.inserted
	for w.onDisk < at {
		var err error
		if w, err = db.look(ctx, q, true); err != nil {
			return w, err
		}
	}
	w.inserted = at
	return w, nil
}

// keep has what has just been read put on disk before anything is made of it:
// who commits asynchronously shows a row before it is there, and a crash would
// hand its id out again. RULES 17.
func (db *database) keep(ctx context.Context) error {
	w, err := db.look(ctx, db.pool, false)
	if err == nil {
		_, err = db.flush(ctx, db.pool, w)
	}
	return err
}

// drawIDs draws n ids, fewer only if the instance is not registered, and tells
// from which sequence.
func (db *database) drawIDs(ctx context.Context, conn *pgx.Conn, n int) (ids []int64, w wal, sequence string, err error) {
	b := &pgx.Batch{}
	b.Queue(db.draw, db.sequence, n, db.cfg.Stream, db.cfg.Instance)
	b.Queue(walDrawn, db.sequence)
	answers := conn.SendBatch(ctx, b)
	rows, err := answers.Query()
	if err == nil {
		ids, err = pgx.CollectRows(rows, pgx.RowTo[int64])
	}
	if err == nil {
		err = w.scan(answers.QueryRow(), db.geometry, &sequence)
	}
	if closing := answers.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, w, "", fmt.Errorf("draw ids from %s: %w", db.cfg.Sequence, err)
	}
	return ids, w, sequence, nil
}

// announce stores the position, which is on disk when it returns: a reader that
// saw it must not find a lower one after a crash. It is stored only on a server
// of that history, the one that answered is returned; and only in a row that is
// there already, which is told.
func (db *database) announce(ctx context.Context, value int64, history string) (found string, there bool, err error) {
	b := &pgx.Batch{}
	b.Queue(`SELECT set_config('synchronous_commit', 'local', true)`)
	b.Queue(db.update, db.cfg.Stream, db.cfg.Instance, db.cfg.outward(value), history).QueryRow(into(&found, &there))
	if err := db.pool.SendBatch(ctx, b).Close(); err != nil {
		return "", false, fmt.Errorf("announce position %d: %w", db.cfg.outward(value), err)
	}
	return found, there, nil
}
