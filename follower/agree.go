package follower

import (
	"context"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// Where ids start over, all daemons that keep positions in one table must tell
// of the same new epoch. The one that sees it first draws a nonce and puts it
// into the table; the others, also those that see nothing because ids have
// passed their position again, take it over from there. RULES 11.

// startedOver begins a new epoch of a stream where its ids have started over:
// back tells that the sequence, which stood at last when the WAL stood at drawn,
// says so; otherwise the table of kept positions may.
func (w *watch) startedOver(ctx context.Context, p *watched, last int64, drawn pglogrepl.LSN, back bool) error {
	s := p.stream
	if another, err := w.another(ctx, p.index, back); err != nil || !another {
		return err
	}
	s.restarts.Add(1)
	was, is := s.Epoch(), w.epochOf(w.footing, p.index)
	if back {
		w.cfg.Logger.Error("ids start over: the sequence was set back below the published position; a new epoch begins",
			"stream", s.name, "position", s.outward(p.before), "allocated", s.outward(last))
	} else {
		w.cfg.Logger.Error("the epoch has changed: positions of the old one mean nothing any more",
			"stream", s.name, "was", was, "is", is, "position", s.CurrentToken())
	}
	if err := s.startOver(is, last, drawn); err != nil {
		return err
	}
	w.counts.resyncs.Add(1)
	p.life, p.line, p.before = s.life.Load(), fence.Line{}, 0
	return nil
}

// another gives stream i the nonce of its next epoch, where positions are kept,
// and reports whether there is one.
func (w *watch) another(ctx context.Context, i int, back bool) (bool, error) {
	s := w.streams[i]
	s.agreeing.Lock()
	defer s.agreeing.Unlock()
	own := s.nonce.Load()
	if own == nil {
		return back, nil
	}
	nonce, err := w.agreed(ctx, i, *own, back)
	if err != nil || !back && nonce == *own {
		return false, err
	}
	s.nonce.Store(&nonce)
	return true, nil
}

// agreed is the nonce of stream i now. Where the table cannot be asked, one
// that has to be another is drawn all the same: the old position is wrong.
func (w *watch) agreed(ctx context.Context, i int, own string, back bool) (string, error) {
	s, nonce := w.streams[i], own
	err := pgx.BeginFunc(ctx, w.conn, func(tx pgx.Tx) (err error) {
		// Durable without waiting for any standby; and who holds the row may
		// have been frozen. RULES 12.
		if _, err := tx.Exec(ctx, "SET LOCAL synchronous_commit = local; SET LOCAL lock_timeout = '1s'"); err != nil {
			return err
		}
		nonce, err = w.agreeIn(ctx, tx, i, own, back)
		return err
	})
	switch {
	case err == nil:
		if s.listing.Load() == listed {
			s.agreed.Store(&nonce)
		}
		return nonce, nil
	case w.conn.IsClosed():
		return "", fmt.Errorf("agree on the epoch of stream %q: %w", s.name, err)
	case !back:
		w.cfg.Logger.Debug("the epoch that is kept could not be read", "stream", s.name, "reason", server.OneLine(err))
		return own, nil
	}
	return newNonce(), nil
}

// overwrite takes back what was kept in an epoch that is over.
const overwrite = ", position = 0, lsn = pg_current_wal_insert_lsn(), closed = false"

// agreeIn looks at the row of stream i, and puts there what it lacks.
func (w *watch) agreeIn(ctx context.Context, tx pgx.Tx, i int, own string, back bool) (nonce string, err error) {
	s, g := w.streams[i], w.footing
	table, err := w.quotedTable(ctx, w.conn)
	if err != nil {
		return own, err
	}
	row, err := readKept(ctx, tx, table, s.name)
	switch {
	case err != nil:
		return own, err
	case !row.there || row.timeline != g.identity.Timeline || !row.isOf(g, g.targets()[i]):
		s.listing.CompareAndSwap(listed, rowGone)
		request(w.review) // which enrols the stream
		if back {
			own = newNonce()
		}
		return own, nil
	}
	anew := ""
	switch agreed := s.agreed.Load(); {
	case agreed == nil || row.nonce != *agreed:
		own = row.nonce // another daemon was faster
	case back:
		own, anew = newNonce(), overwrite
	case row.nonce != own:
		anew = overwrite // it was drawn while the table could not be asked
	}
	_, err = tx.Exec(ctx, `UPDATE `+table+` SET nonce = $2, epoch = $3`+anew+` WHERE stream = $1`, s.name, own, w.epochWith(g, i, &own))
	return own, err
}
