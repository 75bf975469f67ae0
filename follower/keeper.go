package follower

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/tracker"
)

// keepEvery coalesces the moves that are written down.
const keepEvery = 100 * time.Millisecond

// keeper writes published positions into the published table, and notifies.
type keeper struct {
	*Follower
	conn    *pgx.Conn
	table   string
	written map[string]written
	said    string
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
		defer s.Subscribe(func(tracker.Move) { request(k.keep) })()
	}
	for ctx.Err() == nil {
		select {
		case <-k.keep:
		case <-ctx.Done():
			continue
		}
		k.attempt(ctx, false)
		sleep(ctx, keepEvery)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), server.Patience)
	defer cancel()
	k.attempt(last, true)
	if k.conn != nil {
		server.Close(k.conn)
	}
}

// attempt writes what has moved. A failure is logged once, and tried again at
// the next move.
func (k *keeper) attempt(ctx context.Context, closing bool) {
	err := k.write(ctx, closing)
	if err == nil {
		k.said = ""
		return
	}
	if k.conn != nil {
		server.Close(k.conn)
		k.conn = nil
	}
	if reason := server.OneLine(err); reason != k.said && ctx.Err() == nil {
		k.said = reason
		k.cfg.Logger.Warn("published positions could not be kept", "table", k.cfg.Published.Table, "reason", reason)
	}
}

func (k *keeper) write(ctx context.Context, closing bool) error {
	ctx, cancel := context.WithTimeout(ctx, server.Patience)
	defer cancel()
	due := k.due(closing)
	if len(due) == 0 {
		return nil
	}
	if err := k.connect(ctx); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, k.conn, func(tx pgx.Tx) error {
		// An unflushed one would go back after a crash, under the eyes of who
		// reads the table; and no standby is waited for. RULES 12.
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = local"); err != nil {
			return err
		}
		for _, st := range due {
			if err := k.writeOne(ctx, tx, st, closing); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write positions: %w", err)
	}
	for _, st := range due {
		k.written[st.Name] = written{epoch: st.Epoch, position: st.Position}
	}
	return nil
}

// due are the streams whose position has to be written. A standby leaves that
// to who reads the slot.
func (k *keeper) due(closing bool) []Status {
	var due []Status
	for _, s := range k.streams {
		st := s.Status()
		if !st.Known || st.State == StateStandby || s.nonce.Load() == nil {
			continue
		}
		if closing || k.written[s.name] != (written{st.Epoch, st.Position}) {
			due = append(due, st)
		}
	}
	return due
}

func (k *keeper) connect(ctx context.Context) error {
	if k.conn != nil {
		return nil
	}
	conn, _, err := k.dialer.SQL(ctx)
	if err != nil {
		return err
	}
	k.conn = conn
	k.table, err = k.quotedTable(ctx, conn)
	return err
}

// writeOne never takes a position back within an epoch.
func (k *keeper) writeOne(ctx context.Context, tx pgx.Tx, st Status, closing bool) error {
	s, _ := k.Stream(st.Name)
	moved := st.MovedAt
	if moved.IsZero() {
		moved = time.Now()
	}
	_, err := tx.Exec(ctx, `UPDATE `+k.table+` SET position = $2, lsn = '0/0'::pg_lsn + $3::int8, moved_at = $4,
			epoch = $5, nonce = $6, closed = $7
		WHERE stream = $1 AND (epoch <> $5 OR abs(position::numeric) <= abs($2::int8::numeric))`,
		st.Name, st.Position, int64(st.LSN), moved, st.Epoch, *s.nonce.Load(), closing)
	if err != nil || k.cfg.Published.Notify == "" {
		return err
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
