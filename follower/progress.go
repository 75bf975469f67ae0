package follower

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// tellLoading is how often a load says how far it is, the first time after
	// as long: most are done by then.
	tellLoading = time.Second
	// logLoading is how often the log is told of it.
	logLoading = 10 * time.Second
)

// progress is how far the loading of a stream is. Whoever loads counts rows a
// batch at a time, without a lock; tellLoad looks at it.
type progress struct {
	above atomic.Int64 // the rows beyond this id are read
	rows  atomic.Int64 // so many have been
	at    atomic.Int64 // the id of the last of them
}

// begin notes that the rows beyond an id are about to be read.
func (p *progress) begin(above int64) {
	p.rows.Store(0)
	p.at.Store(above)
	p.above.Store(above)
}

// add counts rows, of which the last has that id.
func (p *progress) add(rows int, last int64) {
	p.at.Store(last)
	p.rows.Add(int64(rows))
}

// words say how far it is, where newest is the last id there is; nil: unknown.
func (p *progress) words(newest *int64, took time.Duration) string {
	rows := p.rows.Load()
	if rows == 0 {
		return fmt.Sprintf("for %s so far", took.Round(time.Second))
	}
	above, at := p.above.Load(), p.at.Load()
	text := grouped(rows) + " rows are read, up to id " + strconv.FormatInt(at, 10)
	if newest == nil || *newest == above {
		return text
	}
	// The ids are in order. Those of a descending stream are negative, and so
	// are both differences.
	share := float64(at-above) / float64(*newest-above)
	if share > 1 { // more have come since it was asked for the newest
		return text
	}
	return fmt.Sprintf("%s of %d (%.0f %%)", text, *newest, 100*share)
}

// grouped writes a number for a person: 1,234,567.
func grouped(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// newest is the last id of the stream that is known, nil while none is.
func (l *life) newest() *int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.allocated < 0 {
		return nil
	}
	id := l.of.outward(l.mu.allocated)
	return &id
}

// tellLoad says how far the loading of stream i is, once a second until it is
// stopped: in the reasons of those who wait for it, and now and then in the log.
func (l *listener) tellLoad(ctx context.Context, i int, p *progress, tell func(words string)) (stop func()) {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	log := l.streams[i].log
	go func() {
		defer close(ended)
		look := time.NewTicker(tellLoading)
		defer look.Stop()
		for logged := began; ; {
			select {
			case <-ctx.Done():
				return
			case now := <-look.C:
				words := p.words(l.lives[i].newest(), now.Sub(began))
				tell(words)
				if now.Sub(logged) >= logLoading {
					logged = now
					log.Info("loading the stream", "progress", words)
				}
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		if took := time.Since(began); took >= tellLoading {
			log.Info("loading the stream has ended", "rows", p.rows.Load(), "took", took.Round(time.Millisecond))
		}
	}
}

// waitFor has the announced streams say that they wait for stream i, which is
// being loaded: nothing is read from the slot before.
func (l *listener) waitFor(i int, words string) {
	for j, s := range l.streams {
		switch {
		case !s.announced():
		case j == i:
			s.loading(words)
		default:
			s.catchUp(fmt.Sprintf("stream %q is being loaded before the slot is read: %s", l.streams[i].name, words))
		}
	}
}

// loading shows how far the load is that the position waits for.
func (s *Stream) loading(words string) {
	s.catchUp("its positions and rows are being loaded: " + words)
}

// catchUp shows what the position waits for.
func (s *Stream) catchUp(reason string) {
	s.update(func(c *condition) { c.unread, c.unreadState = reason, StateCatchingUp })
}
