package torture

import (
	"context"
	"sync"

	"github.com/jackc/pgx/v5"
)

// row is one row as readers and the truth tell it; id counts away from zero.
type row struct {
	id, token int64
	lazy      bool
}

// book is what one reader has read of one stream in the present epoch.
type book struct {
	w    *world
	name string
	s    *stream

	mu    sync.Mutex // protects what follows
	epoch string
	past  map[string]bool // epochs that are over
	last  int64           // the position read up to
	seen  map[int64]row   // beyond sealed
	// sealed: up to there what was read has been compared with the truth, and
	// must stay as it is: so many rows, with these tokens.
	sealed, count, tokens int64
	missing               int64 // rows that were missed
}

func newBook(w *world, name string, s *stream) *book {
	return &book{w: w, name: name, s: s, past: make(map[string]bool), seen: make(map[int64]row)}
}

// at takes note of a position and returns where to read on from. It must not be
// less than the one before, and no epoch comes back.
func (b *book) at(epoch string, p int64) (after int64) {
	b.w.tally.reads.Add(1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if epoch != b.epoch {
		if b.past[epoch] {
			b.w.fail("%s: epoch %s has come back after %s", b.name, epoch, b.epoch)
		}
		b.turnLocked(epoch)
	}
	if p < b.last {
		b.w.tally.backward.Add(1)
		b.w.fail("%s: position %d after %d in epoch %s", b.name, p, b.last, epoch)
	}
	return b.last
}

// turnLocked begins a new epoch, of which nothing has been read.
func (b *book) turnLocked(epoch string) {
	if b.epoch != "" {
		b.past[b.epoch] = true
	}
	b.epoch, b.last, b.seen = epoch, 0, make(map[int64]row)
	b.sealed, b.count, b.tokens = 0, 0, 0
}

// turn is turnLocked for a reader that learns of the epoch some other way.
func (b *book) turn(epoch string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.turnLocked(epoch)
}

// read takes what was read up to a position.
func (b *book) read(epoch string, rows []row, upTo int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if epoch != b.epoch {
		return
	}
	for _, r := range rows {
		if _, ok := b.seen[r.id]; ok || r.id <= b.sealed {
			b.w.fail("%s: row %d was read twice", b.name, r.id)
		}
		b.seen[r.id] = r
	}
	b.last = max(b.last, upTo)
}

// position is how far has been read.
func (b *book) position() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// of is the stream.
func (b *book) of() *stream { return b.s }

// compare compares what was read with what is there, and seals it.
func (b *book) compare(ctx context.Context, conn *pgx.Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.compareSealed(ctx, conn); err != nil {
		b.w.fail("%s: compare: %v", b.name, err)
		return
	}
	truth, err := rowsBetween(ctx, conn, b.s, b.sealed, b.last)
	if err != nil {
		b.w.fail("%s: read the truth: %v", b.name, err)
		return
	}
	missed := int64(0)
	for _, r := range truth {
		if b.seen[r.id].token != r.token {
			if missed++; missed <= 3 {
				b.w.missed("%s: row %d was missed: read %+v, there is %+v", b.name, r.id, b.seen[r.id], r)
			}
		}
		delete(b.seen, r.id)
		b.count++
		b.tokens ^= r.token
	}
	b.w.tally.misses.Add(missed)
	b.missing += missed
	b.w.tally.compared.Add(int64(len(truth)))
	for _, r := range b.seen {
		// Who commits without waiting may lose rows in a crash, and nothing else.
		if !r.lazy || b.w.crashes.Load() == 0 {
			b.w.missed("%s: row %d was read, and is not there", b.name, r.id)
		}
	}
	b.sealed, b.seen = b.last, make(map[int64]row)
}

// compareSealed looks whether anything has come or gone below.
func (b *book) compareSealed(ctx context.Context, conn *pgx.Conn) error {
	var count, tokens int64
	err := conn.QueryRow(ctx, "SELECT count(*), coalesce(bit_xor(token), 0) FROM ("+
		b.s.union("token", b.s.between("id"))+") t", 0, b.sealed).Scan(&count, &tokens)
	if err == nil && (count != b.count || tokens != b.tokens) {
		b.w.missed("%s: %d rows up to %d, there were %d", b.name, count, b.sealed, b.count)
		b.w.tally.misses.Add(max(count-b.count, 1))
	}
	return err
}

// rowsBetween reads rows in one statement. RULES 22.
func rowsBetween(ctx context.Context, conn *pgx.Conn, s *stream, after, upTo int64) ([]row, error) {
	if after >= upTo {
		return nil, nil
	}
	rows, err := conn.Query(ctx, s.union("abs(id::bigint), token, lazy", s.between("id")), after, upTo)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(found pgx.CollectableRow) (r row, err error) {
		err = found.Scan(&r.id, &r.token, &r.lazy)
		return r, err
	})
}
