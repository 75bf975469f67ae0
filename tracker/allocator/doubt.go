package allocator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// doubt is writes that ended without a word on whether they were committed.
// They are over when every transaction has ended that was open after the loss;
// RULES 19.
type doubt struct {
	entries []*entry
	wait    *drain
}

// doubtLocked puts an entry in doubt. Those that come before the next look
// share one list, which is made after all of them.
func (b *book) doubtLocked(e *entry) {
	delete(b.entries, e)
	if n := len(b.doubts); n > 0 && b.doubts[n-1].wait == nil {
		b.doubts[n-1].entries = append(b.doubts[n-1].entries, e)
		return
	}
	b.doubts = append(b.doubts, doubt{entries: []*entry{e}})
}

// resolveDoubts looks which doubts are over. It reports whether any stands.
func (a *Allocator) resolveDoubts(ctx context.Context) (standing bool, err error) {
	a.book.mu.Lock()
	for i := range a.book.doubts {
		if a.book.doubts[i].wait == nil {
			a.book.doubts[i].wait = openDrain()
		}
	}
	doubts := a.book.doubts
	a.book.mu.Unlock()
	over := 0
	for over < len(doubts) {
		ended, err := doubts[over].wait.look(ctx, a.db.pool)
		if err != nil {
			return true, fmt.Errorf("resolve writes in doubt: %w", err)
		}
		if !ended {
			break // whatever holds an older doubt up was open later as well
		}
		over++
	}
	if over == 0 {
		return len(doubts) > 0, nil
	}
	a.endDoubts(over, time.Now())
	return over < len(doubts), nil
}

// endDoubts finishes the oldest n doubts.
func (a *Allocator) endDoubts(n int, now time.Time) {
	b := &a.book
	b.mu.Lock()
	for _, d := range b.doubts[:n] {
		for _, e := range d.entries {
			for _, id := range e.ids {
				b.writer.Finish(id, now)
			}
		}
	}
	b.doubts = b.doubts[n:]
	b.conclude()
}

// outcomes asks what became of transactions. One that is committed is visible
// by then: the server looks first whether it is still in progress. Of one so
// old that the server has forgotten it, it says NULL: it has ended. In another
// history the numbers are other transactions', or nobody's yet: it is not asked.
const outcomes = `WITH here AS MATERIALIZED (SELECT (` + histories + `) AS history)
SELECT x, history, history <> $2 OR coalesce(CASE WHEN history = $2 THEN pg_xact_status(x::xid8) END, 'ended') <> 'in progress'
FROM here, unnest($1::text[]) AS t (x)`

// resolveTransactions finishes the entries whose transactions have ended. It
// reports how many were asked about, and how many of those somebody waits for.
func (a *Allocator) resolveTransactions(ctx context.Context) (asked, waiting int, err error) {
	entries, xids := a.bound()
	for _, e := range entries {
		if e.ended {
			waiting++
		}
	}
	if len(xids) == 0 {
		return 0, 0, nil
	}
	ended, err := a.outcomes(ctx, xids)
	if err != nil {
		return len(xids), waiting, fmt.Errorf("ask what became of transactions: %w", err)
	}
	return len(xids), waiting - a.finishEnded(entries, ended, time.Now()), nil
}

// forgotten reports whether the server does not know of a transaction that it is
// asked about: a crash has lost that the id was ever given. The question is asked
// in the history alone that gave it, so the transaction has ended.
func forgotten(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "22023"
}

// outcomes tells of each transaction whether it has ended: of all at once, or of
// each by itself where the answer to one is an error.
func (a *Allocator) outcomes(ctx context.Context, xids []string) (ended map[string]bool, err error) {
	ended, err = a.askOutcomes(ctx, xids)
	if !forgotten(err) {
		return ended, err
	}
	if len(xids) == 1 {
		return map[string]bool{xids[0]: true}, nil
	}
	ended = make(map[string]bool, len(xids))
	for i := range xids {
		one, err := a.outcomes(ctx, xids[i:i+1])
		if err != nil {
			return nil, err
		}
		maps.Copy(ended, one)
	}
	return ended, nil
}

func (a *Allocator) askOutcomes(ctx context.Context, xids []string) (ended map[string]bool, err error) {
	rows, err := a.db.pool.Query(ctx, outcomes, xids, a.book.history())
	if err != nil {
		return nil, err
	}
	ended = make(map[string]bool, len(xids))
	var x, history string
	var over bool
	_, err = pgx.ForEachRow(rows, []any{&x, &history, &over}, func() error {
		ended[x] = over
		return a.sameHistory(history)
	})
	return ended, err
}

// boundEntry is an entry that the database is to be asked about, as it was.
type boundEntry struct {
	*entry
	xids  []xid
	ended bool
}

// bound returns the entries that end with their transactions, and those.
func (a *Allocator) bound() (entries []boundEntry, xids []string) {
	a.book.mu.Lock()
	defer a.book.mu.Unlock()
	for e := range a.book.entries {
		if len(e.xids) == 0 || !e.inTx && !e.ended {
			continue // not bound, or bound and perhaps to be tried again
		}
		entries = append(entries, boundEntry{entry: e, xids: e.xids, ended: e.ended})
		for _, x := range e.xids {
			xids = append(xids, x.String())
		}
	}
	return entries, xids
}

// finishEnded finishes those entries all whose transactions have ended, and
// returns how many of them somebody waited for.
func (a *Allocator) finishEnded(entries []boundEntry, ended map[string]bool, now time.Time) (waited int) {
	a.book.mu.Lock()
	for _, e := range entries {
		over := true
		for _, x := range e.xids {
			over = over && ended[x.String()]
		}
		if over {
			a.book.finishLocked(e.entry, now)
		}
		if over && e.ended {
			waited++
		}
	}
	a.book.conclude()
	return waited
}
