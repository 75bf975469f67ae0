package follower

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// kept is what the published table holds of one stream from an earlier life.
type kept struct {
	position int64         // away from zero
	lsn      pglogrepl.LSN // that covers it, or where the ids started over
	closed   bool
	valid    bool
}

// unkeptAfter is how long a first fence may take before a kept position is
// served in its place: then a transaction from before the restart is open.
const unkeptAfter = 2 * time.Second

// What a stream's listing may be.
const (
	listed int32 = iota
	// rowGone: the row is not there any more.
	rowGone
	// elsewhere: the server has been restarted, or is another one: standbys that
	// were promoted apart differ in this row alone. RULES 11.
	elsewhere
)

// newNonce is random text that tells apart histories which share everything else.
func newNonce() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

// recall reads what was kept, and enrols the streams that are not, or not under
// this footing. Where the table cannot be used it says so, and the streams go on
// without until the next look: keeping positions is a help and no condition. An
// error is a lost connection: then the next one finds out.
func (w *warden) recall(ctx context.Context, before, g *footing) ([]kept, error) {
	if w.cfg.Published.Table == "" {
		return nil, nil
	}
	moved := before != nil && !before.identity.SameServer(g.identity)
	all := make([]kept, len(w.streams))
	for i, s := range w.streams {
		if moved {
			s.listing.Store(elsewhere)
		}
		if g.targets()[i].Sequence.OID == 0 || s.ownNonce(before, g) != nil && s.listing.Load() == listed {
			continue
		}
		k, err := w.enrol(ctx, before, g, i)
		if errors.Is(err, errUnread) {
			g.setAside(i, err)
			continue
		}
		if err != nil && w.conn.IsClosed() && ctx.Err() == nil {
			return nil, err
		}
		w.sayUnkept(err)
		if err != nil {
			return nil, nil
		}
		all[i] = k
	}
	return all, nil
}

// sayUnkept says once that positions are not kept, and that this is over.
func (w *warden) sayUnkept(err error) {
	reason := ""
	if err != nil {
		reason = server.OneLine(err)
	}
	was := w.unkept
	w.unkept = reason
	switch {
	case reason == was:
	case reason == "":
		w.cfg.Logger.Info("published positions are kept again", "table", w.cfg.Published.Table)
	default:
		w.cfg.Logger.Warn("published positions are not kept: run tidemark setup, or set published.table to \"\"",
			"table", w.cfg.Published.Table, "reason", reason)
	}
}

// enrolled tells of each stream whether its position is kept.
func (w *warden) enrolled() []bool {
	enrolled := make([]bool, len(w.streams))
	for i, s := range w.streams {
		enrolled[i] = s.nonce.Load() != nil
	}
	return enrolled
}

func equalTargets(a, b *footing) bool {
	x, y := a.targets(), b.targets()
	for i := range x {
		if x[i].Sequence != y[i].Sequence {
			return false
		}
	}
	return true
}

// enrol reads one stream's row and puts the present history into it. What an
// earlier life published counts if it is of this database system and this
// sequence, and the sequence stands at or beyond it; a changed timeline alone
// does not void it (RULES 12). The nonce stays that of the timeline (RULES 11).
func (w *warden) enrol(ctx context.Context, before, g *footing, i int) (k kept, err error) {
	s, t := w.streams[i], g.targets()[i]
	s.agreeing.Lock()
	defer s.agreeing.Unlock()
	own := s.ownNonce(before, g)
	table, err := w.table(ctx)
	if err != nil {
		return kept{}, err
	}
	last, err := w.lastValue(ctx, g, t)
	if err != nil {
		return kept{}, err
	}
	err = pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) error {
		// Durable without waiting for any standby. RULES 12.
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = local"); err != nil {
			return err
		}
		if err := makeKept(ctx, tx, table, s.name); err != nil {
			return err
		}
		var row keptRow
		if row, err = readKept(ctx, tx, table, s.name); err != nil {
			return err
		}
		k = row.judge(s, g, t, last)
		nonce := s.enrolUnder(&k, row, g, t, own)
		if k, err = row.recalled(ctx, tx, k); err != nil {
			return err
		}
		s.nonce.Store(&nonce)
		position := int64(0)
		if k.valid {
			position = s.outward(k.position)
		}
		_, err := tx.Exec(ctx, `UPDATE `+table+` SET position = $2, epoch = $3, lsn = '0/0'::pg_lsn + $4::int8,
				sequence_oid = $5, sequence_filenode = $6, system_identifier = $7, timeline = $8, nonce = $9, closed = false
			WHERE stream = $1`,
			s.name, position, w.epochOf(g, i), int64(k.lsn), t.Sequence.OID, t.Sequence.Filenode,
			g.identity.System, g.identity.Timeline, nonce)
		return err
	})
	if err != nil {
		s.nonce.Store(own)
		return kept{}, fmt.Errorf("enrol stream %q: %w", s.name, err)
	}
	s.agreed.Store(s.nonce.Load())
	s.listing.Store(listed)
	return k, nil
}

// ownNonce is the stream's nonce, where it is of the history of g; else nil.
func (s *Stream) ownNonce(before, g *footing) *string {
	if before == nil || before.epoch != g.epoch || !equalTargets(before, g) {
		return nil
	}
	return s.nonce.Load()
}

// enrolUnder chooses the nonce for a row. One that was drawn while the table could
// not be asked is put there now, in place of the one that it replaces; what was
// kept under that one is void.
func (s *Stream) enrolUnder(k *kept, row keptRow, g *footing, t fence.Target, own *string) string {
	agreed := s.agreed.Load()
	here := row.isOf(g, t) && row.timeline == g.identity.Timeline && row.nonce != ""
	switch {
	case here && own != nil && agreed != nil && row.nonce == *agreed && *own != *agreed:
		k.valid = false
		return *own
	case here && k.valid && (g.epoch.Rewinds == 0 || own != nil):
		return row.nonce
	case own != nil && s.listing.Load() == rowGone:
		return *own
	}
	return newNonce()
}

// keptRow is a row of the published table.
type keptRow struct {
	there         bool
	position      int64
	lsn           int64
	oid, filenode uint32
	system, nonce string
	timeline      int32
	closed        bool
}

// makeKept makes sure that there is a row to lock: of two daemons that find none
// the second waits here for the first.
func makeKept(ctx context.Context, tx pgx.Tx, table, stream string) error {
	_, err := tx.Exec(ctx, `INSERT INTO `+table+` (stream, position, epoch, lsn, moved_at)
		VALUES ($1, 0, '', '0/0', now()) ON CONFLICT (stream) DO NOTHING`, stream)
	return err
}

// readKept locks the row, so that of two daemons that start together one takes
// over the other's nonce.
func readKept(ctx context.Context, tx pgx.Tx, table, stream string) (keptRow, error) {
	row := keptRow{there: true}
	err := tx.QueryRow(ctx, `SELECT position, (lsn - '0/0'::pg_lsn)::int8, coalesce(sequence_oid, 0), coalesce(sequence_filenode, 0),
			coalesce(system_identifier, ''), coalesce(timeline, 0), coalesce(nonce, ''), coalesce(closed, false)
		FROM `+table+` WHERE stream = $1 FOR UPDATE`, stream).
		Scan(&row.position, &row.lsn, &row.oid, &row.filenode, &row.system, &row.timeline, &row.nonce, &row.closed)
	if errors.Is(err, pgx.ErrNoRows) {
		return keptRow{}, nil
	}
	return row, err
}

// judge decides whether the kept position is still true.
func (r keptRow) judge(s *Stream, g *footing, t fence.Target, last int64) kept {
	p := s.inward(r.position)
	return kept{position: p, lsn: pglogrepl.LSN(r.lsn), closed: r.closed, valid: r.there && r.isOf(g, t) && p >= 0 && p <= last}
}

// recalled is what was judged; of ids that have started over since, where the WAL
// stands now: what the slot still holds of the old ones says nothing of these.
func (r keptRow) recalled(ctx context.Context, tx pgx.Tx, k kept) (kept, error) {
	if k.valid || r.nonce == "" {
		return k, nil
	}
	var now int64
	err := tx.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8").Scan(&now)
	k.lsn = pglogrepl.LSN(now)
	return k, err
}

// isOf reports whether the row is of this database system and this sequence.
func (r keptRow) isOf(g *footing, t fence.Target) bool {
	return r.system == g.identity.System && r.oid == t.Sequence.OID && r.filenode == t.Sequence.Filenode
}

// quotedTable is the published table's name, qualified and quoted.
func (f *Follower) quotedTable(ctx context.Context, conn *pgx.Conn) (string, error) {
	var name *string
	err := conn.QueryRow(ctx, `SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)`,
		f.cfg.Published.Table).Scan(&name)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && name == nil {
		return "", fmt.Errorf("table %s does not exist", f.cfg.Published.Table)
	}
	if err != nil {
		return "", fmt.Errorf("find table %s: %w", f.cfg.Published.Table, err)
	}
	return *name, nil
}

func (w *warden) table(ctx context.Context) (string, error) { return w.quotedTable(ctx, w.conn) }

// lastValue is the sequence's last value.
func (w *warden) lastValue(ctx context.Context, g *footing, t fence.Target) (int64, error) {
	p := fence.NewProber(w.conn, w.conn.PgConn().PID(), g.catalog.DatabaseOID, []fence.Target{t})
	results, err := p.Peek(ctx, time.Now())
	if err != nil {
		return 0, err
	}
	if err := results[0].Err; err != nil {
		return 0, fmt.Errorf("%w: %w", errUnread, err)
	}
	return results[0].Reading.Last, nil
}

// errUnread: one sequence cannot be read now, because it is locked, or has just
// been replaced.
var errUnread = errors.New("its sequence cannot be read")

// setAside leaves stream i out until the next look at the catalog: without its
// sequence nothing can be published of it, and what is kept cannot be judged.
// The others go on (RULES 10).
func (g *footing) setAside(i int, why error) {
	s := &g.catalog.Streams[i]
	s.SequenceOID = 0
	if s.Problem == nil {
		s.Problem = &catalog.Finding{
			Name: "sequence " + s.SequenceName, Scope: catalog.ScopeStream, Stream: s.Name, Transient: true,
			Detail: server.OneLine(why), Fix: "end the transaction that keeps the sequence locked",
		}
	}
}

// serveKept publishes what was kept: at once after an orderly stop, for nothing
// was published beyond it, otherwise where the first fence is late.
func (w *warden) serveKept(ctx context.Context, g *footing, all []kept) {
	for i, k := range all {
		l := w.streams[i].life.Load()
		switch {
		case !k.valid || l.of.announced():
		case k.closed:
			w.publishKept(g, l, k)
		default:
			time.AfterFunc(unkeptAfter, func() {
				if ctx.Err() == nil && !l.isKnown() {
					w.publishKept(g, l, k)
				}
			})
		}
	}
}

// publishKept publishes a kept position, where standbys are read once they show
// what it covers. RULES 13.
func (w *warden) publishKept(g *footing, l *life, k kept) {
	if w.readers == nil {
		l.recall(k)
		return
	}
	w.readers.publish(outgoing{life: l, need: g.identity.Geometry.End(k.lsn), apply: func() bool { l.recall(k); return false }})
}

// recall publishes a kept position.
func (l *life) recall(k kept) {
	select {
	case <-l.over:
	default:
		l.settle(fence.Settled{UpTo: k.position, Seen: k.lsn}, time.Now())
	}
}
