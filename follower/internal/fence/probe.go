package fence

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Target is a sequence to probe.
type Target struct {
	Sequence Sequence
	// Name is qualified and quoted for SQL.
	Name string
}

// Result is one stream's part of a probe: a reading, or why there is none.
type Result struct {
	Reading Reading
	Err     error
}

var (
	// ErrReplaced: the name now belongs to another sequence, or its ids
	// started over. RULES 4.
	ErrReplaced = errors.New("the sequence was replaced or its ids started over")
	// ErrOtherBackend: the statement reached another backend than the ones
	// before (a pooler in between): no standing fence is worth anything. RULES 3.
	ErrOtherBackend = errors.New("the connection reached another backend: connect to PostgreSQL itself, not through a transaction pooler")
)

// scans is how often a probe reads each sequence.
//
// nextval changes the sequence's tuple in place. Every 32 values it writes the
// value 32 ahead into the buffer, logs that, and then puts the drawn value
// there (nextval_internal in sequence.c); a plain SELECT deforms the tuple
// without the buffer's lock and can return the value in between, which nobody
// has drawn: a fence on it would lose rows. Two scans cannot fall into the same
// such moment, since each begins by locking the buffer; and of values seen in
// different moments the lower has been drawn, unless a checkpoint began between
// them, which makes nextval log early. For three scans it would take two
// checkpoints within one statement. So the lowest of three is L.
const scans = 3

// Prober takes readings of several sequences over one session. It is not safe
// for concurrent use.
type Prober struct {
	conn     *pgx.Conn
	pid      uint32
	database uint32
	targets  []Target
	oids     []uint32
	apart    []bool // probed one by one, because it failed with the others
	retry    time.Time
	results  []Result
	began    time.Time     // by the server's clock: its first row
	took     time.Duration // by the server's clock: all of a probe
}

// NewProber prepares to probe the targets over conn, whose backend is pid, in
// the database with that oid.
func NewProber(conn *pgx.Conn, pid, database uint32, targets []Target) *Prober {
	p := &Prober{
		conn: conn, pid: pid, database: database, targets: targets,
		apart: make([]bool, len(targets)), results: make([]Result, len(targets)),
	}
	for _, t := range targets {
		p.oids = append(p.oids, t.Sequence.OID)
	}
	return p
}

// lastValues is the statement that reads the sequences numbered in which. It
// never calls nextval, currval or the like, and does not touch pg_sequences:
// all of them take the lock that a fence waits for (RULES 5).
func (p *Prober) lastValues(which []int) string {
	var b strings.Builder
	for _, i := range which {
		for range scans {
			if b.Len() > 0 {
				b.WriteString("\nUNION ALL ")
			}
			fmt.Fprintf(&b, `SELECT %d, tableoid, pg_relation_filenode(tableoid), last_value, is_called,`+
				` (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8, clock_timestamp() FROM %s`, i, p.targets[i].Name)
		}
	}
	return b.String()
}

// The database is named because a relation's oid is unique within one only.
const locks = `SELECT relation, virtualtransaction, pid FROM pg_locks
WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted
	AND database = $1 AND relation = ANY($2::oid[])`

const walNow = `SELECT pg_backend_pid(), (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8,
	(pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::int8, clock_timestamp()`

// Probe reads every L, then every holder. An error means that the session is
// of no more use; what concerns one sequence only is in its Result. The results
// belong to the caller until the next call.
func (p *Prober) Probe(ctx context.Context, now time.Time) ([]Result, error) {
	p.took = 0
	return p.each(ctx, now, true)
}

// Took is what the last Probe has cost the server, by its own clock: what the
// network and we took beside that costs no writer anything. RULES 7.
func (p *Prober) Took() time.Duration { return p.took }

// Peek reads every L and nothing else: enough to see that nothing was drawn.
// Its readings have no holders and must not reach a Line.
func (p *Prober) Peek(ctx context.Context, now time.Time) ([]Result, error) {
	return p.each(ctx, now, false)
}

// retryApart is how often sequences that failed are tried again: each costs
// the others up to lock_timeout. RULES 6.
const retryApart = time.Second

func (p *Prober) each(ctx context.Context, now time.Time, holders bool) ([]Result, error) {
	together := p.having(false)
	if len(together) > 0 {
		err := p.read(ctx, now, together, holders)
		switch {
		case err != nil && !concernsSequence(err):
			return nil, err
		case err != nil:
			for _, i := range together {
				p.apart[i] = true
			}
			p.retry = time.Time{}
		}
	}
	if now.Before(p.retry) {
		return p.results, nil
	}
	for _, i := range p.having(true) {
		err := p.read(ctx, now, []int{i}, holders)
		if err != nil && !concernsSequence(err) {
			return nil, err
		}
		p.apart[i] = err != nil
		if err != nil {
			p.results[i] = Result{Err: err}
			p.retry = now.Add(retryApart)
		}
	}
	return p.results, nil
}

func (p *Prober) having(apart bool) []int {
	var which []int
	for i := range p.targets {
		if p.apart[i] == apart {
			which = append(which, i)
		}
	}
	return which
}

// concernsSequence reports whether the server answered, and said that it would
// not read some sequence. The classes: insufficient resources and shutdowns
// are about the session, the rest about what was asked.
func concernsSequence(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code[:2] {
	case "42", "55", "22", "3F":
		return true
	}
	return false
}

// read takes one reading of the sequences numbered in which, in one round trip
// of one implicit transaction whose statements follow each other.
func (p *Prober) read(ctx context.Context, now time.Time, which []int, holders bool) error {
	batch := &pgx.Batch{}
	batch.Queue(p.lastValues(which))
	if holders {
		batch.Queue(locks, p.database, p.oids)
		batch.Queue(walNow)
	}
	answers := p.conn.SendBatch(ctx, batch)
	err := p.readLast(answers, now, which)
	if err == nil && holders {
		err = p.readHolders(answers, which)
	}
	if err == nil && holders {
		err = p.readWAL(answers, which)
	}
	if closing := answers.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("read sequences and their locks: %w", err)
	}
	return nil
}

func (p *Prober) readLast(answers pgx.BatchResults, now time.Time, which []int) error {
	for _, i := range which {
		p.results[i] = Result{Err: errNoRow}
	}
	rows, err := answers.Query()
	if err != nil {
		return err
	}
	var (
		i           int
		seq         Sequence
		filenode    *uint32
		last, drawn int64
		called      bool
	)
	var clock time.Time
	p.began = time.Time{}
	_, err = pgx.ForEachRow(rows, []any{&i, &seq.OID, &filenode, &last, &called, &drawn, &clock}, func() error {
		if p.began.IsZero() {
			p.began = clock
		}
		seq.Filenode = 0
		if filenode != nil {
			seq.Filenode = *filenode
		}
		if !called {
			last--
		}
		p.results[i].add(p.targets[i].Sequence, seq, max(last, 0), pglogrepl.LSN(drawn), now)
		return nil
	})
	return err
}

var errNoRow = errors.New("the sequence has no row")

// add takes one scan: the lowest value and the highest position count.
func (r *Result) add(want, seq Sequence, last int64, drawn pglogrepl.LSN, now time.Time) {
	switch {
	case seq != want:
		r.Reading.Sequence, r.Err = seq, ErrReplaced
	case errors.Is(r.Err, errNoRow):
		*r = Result{Reading: Reading{
			Sequence: seq, Last: last, Drawn: drawn, At: now, Holders: r.Reading.Holders[:0],
		}}
	case r.Err == nil:
		r.Reading.Last = min(r.Reading.Last, last)
		r.Reading.Drawn = max(r.Reading.Drawn, drawn)
	}
}

func (p *Prober) readHolders(answers pgx.BatchResults, which []int) error {
	rows, err := answers.Query()
	if err != nil {
		return err
	}
	var oid uint32
	var vxid string
	var pid *int32
	_, err = pgx.ForEachRow(rows, []any{&oid, &vxid, &pid}, func() error {
		v, err := ParseVXID(vxid)
		if err != nil {
			return err
		}
		h := Holder{VXID: v}
		if pid != nil {
			h.PID = *pid
		}
		for _, i := range which {
			if p.targets[i].Sequence.OID == oid {
				p.results[i].Reading.Holders = append(p.results[i].Reading.Holders, h)
			}
		}
		return nil
	})
	return err
}

func (p *Prober) readWAL(answers pgx.BatchResults, which []int) error {
	var pid int32
	var seen, flushed int64
	var clock time.Time
	if err := answers.QueryRow().Scan(&pid, &seen, &flushed, &clock); err != nil {
		return err
	}
	p.took += clock.Sub(p.began)
	if uint32(pid) != p.pid {
		return ErrOtherBackend
	}
	for _, i := range which {
		p.results[i].Reading.Seen = pglogrepl.LSN(seen)
		p.results[i].Reading.Flushed = pglogrepl.LSN(flushed)
	}
	return nil
}

// ParseVXID reads pg_locks.virtualtransaction: "backend/local". The backend of
// a transaction that was prepared before a crash is -1.
func ParseVXID(s string) (VXID, error) {
	backend, local, found := strings.Cut(s, "/")
	b, err1 := strconv.ParseInt(backend, 10, 32)
	l, err2 := strconv.ParseUint(local, 10, 32)
	if !found || err1 != nil || err2 != nil {
		return VXID{}, fmt.Errorf("read virtualtransaction %q: want BACKEND/LOCAL", s)
	}
	return VXID{Backend: int32(b), Local: uint32(l)}, nil
}

// String is the transaction as pg_locks writes it.
func (v VXID) String() string { return fmt.Sprintf("%d/%d", v.Backend, v.Local) }
