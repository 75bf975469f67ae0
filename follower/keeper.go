package follower

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// keepEvery coalesces the moves that are written down.
const keepEvery = 100 * time.Millisecond

// keeper writes published positions into the published table, and notifies.
// Without a table it only notifies.
type keeper struct {
	*Follower
	conn    *pgx.Conn
	on      server.Identity // the server that conn leads to
	table   string
	written map[string]written
	said    repeated
}

// written is what the table holds of a stream.
type written struct {
	epoch    string
	position int64
}

// run keeps positions until ctx ends, and at its end the exact ones.
func (k *keeper) run(ctx context.Context) {
	k.written = make(map[string]written)
	for _, s := range k.streams {
		defer s.Watch(func() { request(k.keep) })() // no move tells that the first position is known
	}
	again := newRetry()
	for ctx.Err() == nil {
		select {
		case <-k.keep:
		case <-ctx.Done():
			continue
		}
		if k.attempt(ctx, false) {
			again.succeeded()
			sleep(ctx, keepEvery)
			continue
		}
		request(k.keep) // there need not be another move
		again.pause(ctx)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), server.Patience)
	defer cancel()
	k.finish(last)
}

// finish writes the exact positions. The connection may have been cut since the
// last move, which nobody noticed: then a new one is made.
func (k *keeper) finish(ctx context.Context) {
	if k.conn != nil {
		if _, err := k.write(ctx, true); err != nil {
			server.Close(k.conn)
			k.conn = nil
		}
	}
	if k.conn == nil {
		k.attempt(ctx, true)
	}
	if k.conn != nil {
		server.Close(k.conn)
	}
}

// attempt writes what has moved, and reports whether all of it is kept. A
// failure is logged once, and that it is over.
func (k *keeper) attempt(ctx context.Context, closing bool) bool {
	all, err := k.write(ctx, closing)
	if err == nil {
		if k.said.over() {
			k.sayAgain()
		}
		return all
	}
	if k.conn != nil {
		server.Close(k.conn)
		k.conn = nil
	}
	if reason := server.OneLine(err); ctx.Err() == nil && k.said.worth(time.Now(), "keep", reason) {
		k.sayFailed(reason)
	}
	return false
}

func (k *keeper) sayFailed(reason string) {
	if k.onlyNotifies() {
		k.cfg.Logger.Warn("moves could not be notified", "channel", k.cfg.Published.Notify, "reason", reason)
		return
	}
	k.cfg.Logger.Warn("published positions could not be kept", "table", k.cfg.Published.Table, "reason", reason)
}

func (k *keeper) sayAgain() {
	if k.onlyNotifies() {
		k.cfg.Logger.Info("moves are notified again", "channel", k.cfg.Published.Notify)
		return
	}
	k.cfg.Logger.Info("published positions are kept again", "table", k.cfg.Published.Table)
}

func (k *keeper) onlyNotifies() bool { return k.cfg.Published.Table == "" }

// write writes what is due, and reports whether nothing of it is left: where the
// table holds another epoch, that is agreed on first.
func (k *keeper) write(ctx context.Context, closing bool) (all bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, server.Patience)
	defer cancel()
	due := k.due(closing)
	if len(due) == 0 {
		return true, nil
	}
	if err := k.connect(ctx); err != nil {
		return false, err
	}
	kept := make(map[string]written)
	err = pgx.BeginFunc(ctx, k.conn, func(tx pgx.Tx) error {
		// An unflushed one would go back after a crash, under the eyes of who
		// reads the table; and no standby is waited for. RULES 12.
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = local"); err != nil {
			return err
		}
		for _, st := range due {
			there, err := k.writeOne(ctx, tx, st, closing)
			if err != nil {
				return err
			}
			if there {
				kept[st.Name] = written{epoch: st.Epoch, position: st.Position}
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("write positions: %w", err)
	}
	maps.Copy(k.written, kept)
	return len(kept) == len(due), nil
}

// due are the streams whose position has to be written, at the end all: the
// table shall say that it is closed. A standby leaves that to who reads the slot.
func (k *keeper) due(closing bool) []Status {
	var due []Status
	for _, s := range k.streams {
		st := s.Status()
		enrolled := k.onlyNotifies() || s.nonce.Load() != nil
		if !st.Known || st.State == StateStandby || !enrolled {
			continue
		}
		if closing && !k.onlyNotifies() || k.written[s.name] != (written{st.Epoch, st.Position}) {
			due = append(due, st)
		}
	}
	return due
}

func (k *keeper) connect(ctx context.Context) error {
	g, err := k.ground.wait(ctx)
	if err != nil {
		return err
	}
	if k.conn != nil {
		if k.on.SameServer(g.identity) {
			return nil
		}
		server.Close(k.conn)
	}
	conn, err := k.onFooting(ctx, g)
	if err != nil {
		return err
	}
	k.conn, k.on = conn, g.identity
	if k.onlyNotifies() {
		return nil
	}
	k.table, err = k.quotedTable(ctx, conn)
	return err
}

// writeOne never takes a position back within an epoch, and never puts another
// epoch into the table than the one that was agreed on there: of several daemons
// each would write its own. It reports whether the table has our epoch.
func (k *keeper) writeOne(ctx context.Context, tx pgx.Tx, st Status, closing bool) (kept bool, err error) {
	if k.onlyNotifies() {
		return true, k.notify(ctx, tx, st)
	}
	moved := st.MovedAt
	if moved.IsZero() {
		moved = time.Now()
	}
	done, err := tx.Exec(ctx, `UPDATE `+k.table+` SET position = $2, lsn = '0/0'::pg_lsn + $3::int8, moved_at = $4, closed = $6
		WHERE stream = $1 AND epoch = $5 AND abs(position::numeric) <= abs($2::int8::numeric)`,
		st.Name, st.Position, int64(st.LSN), moved, st.Epoch, closing)
	if err != nil {
		return false, err
	}
	if done.RowsAffected() == 0 {
		return k.owned(ctx, tx, st)
	}
	return true, k.notify(ctx, tx, st)
}

// owned reports whether the table has our epoch. Where it has another one the
// fence is told: it is the one to begin it. Where it has no row any more, the
// warden is, which makes one.
func (k *keeper) owned(ctx context.Context, tx pgx.Tx, st Status) (bool, error) {
	var there, ours bool
	err := tx.QueryRow(ctx, `SELECT count(*) > 0, coalesce(bool_and(epoch = $2), false) FROM `+k.table+` WHERE stream = $1`,
		st.Name, st.Epoch).Scan(&there, &ours)
	s, _ := k.Stream(st.Name)
	switch {
	case err != nil || ours:
	case there:
		s.disowned.Store(true)
		request(k.probe)
	default:
		s.listing.CompareAndSwap(listed, rowGone)
		request(k.review)
	}
	return ours, err
}

func (k *keeper) notify(ctx context.Context, tx pgx.Tx, st Status) error {
	if k.cfg.Published.Notify == "" {
		return nil
	}
	payload, err := json.Marshal(struct {
		Stream   string `json:"stream"`
		Position int64  `json:"position"`
		Epoch    string `json:"epoch"`
	}{st.Name, st.Position, st.Epoch})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "SELECT pg_notify($1, $2)", k.cfg.Published.Notify, string(payload))
	return err
}
