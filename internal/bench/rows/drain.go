package rows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/internal/bench/peer"
)

// Names of contenders, and of what is measured of them.
const (
	skipping    = "Tidemark, skip-ahead"
	recvlogical = "pg_recvlogical -f /dev/null"
	exampleLoop = "pglogrepl, the loop of its example"

	thousandRate = "1,000-row transactions"
	singleRate   = "1-row transactions"
	thousandTime = "time, 1,000-row"
	singleTime   = "time, 1-row"
	thousandUsed = "reader's processor, 1,000-row"
	singleUsed   = "reader's processor, 1-row"
	thousandHost = "server's processor, 1,000-row"
	singleHost   = "server's processor, 1-row"
)

// backlogRows is how many rows wait at full scale, of each kind.
const backlogRows = 2_000_000

// drain is comparison 2: reading what has gathered in a slot.
func drain() contest.Comparison {
	return contest.Comparison{
		Key:   "2",
		Title: "Drain a backlog of 2 M rows through the slot",
		Method: "From the start of the reader to the last row: 2 M rows in transactions of 1,000 rows, and 2 M in transactions " +
			"of one row. Each run reads a copy of the same slot.",
		Rounds:  3,
		Metrics: drainMetrics(),
		Chart:   contest.Chart{Metric: thousandRate},
		Targets: []contest.Target{
			{Text: "≥ 0.95x pg_recvlogical, 1,000-row", Of: ours, Over: recvlogical, Metric: thousandRate, AtLeast: 0.95},
			{Text: "≥ 0.95x pg_recvlogical, 1-row", Of: ours, Over: recvlogical, Metric: singleRate, AtLeast: 0.95},
			{Text: "≥ 1.3x the pglogrepl loop, 1,000-row", Of: ours, Over: exampleLoop, Metric: thousandRate, AtLeast: 1.3},
			{Text: "≥ 1.3x the pglogrepl loop, 1-row", Of: ours, Over: exampleLoop, Metric: singleRate, AtLeast: 1.3},
			{Text: "skip-ahead ready in ≤ 0.15x pg_recvlogical's time, 1,000-row", Of: skipping, Over: recvlogical, Metric: thousandTime, AtMost: 0.15},
			{Text: "skip-ahead ready in ≤ 0.15x pg_recvlogical's time, 1-row", Of: skipping, Over: recvlogical, Metric: singleTime, AtMost: 0.15},
			{Text: "skip-ahead ready in ≤ 0.15x our own draining, 1,000-row", Of: skipping, Over: ours, Metric: thousandTime, AtMost: 0.15},
			{Text: "skip-ahead ready in ≤ 0.15x our own draining, 1-row", Of: skipping, Over: ours, Metric: singleTime, AtMost: 0.15},
		},
		Notes:   []string{drainNote, skipNote},
		Prepare: prepareDrain,
	}
}

func drainMetrics() []contest.Metric {
	return []contest.Metric{
		{Name: thousandRate, Unit: "rows/s"},
		{Name: singleRate, Unit: "rows/s"},
		{Name: thousandTime, Unit: "s"},
		{Name: singleTime, Unit: "s"},
		{Name: thousandUsed, Unit: "µs/row"},
		{Name: singleUsed, Unit: "µs/row"},
		{Name: thousandHost, Unit: "µs/row"},
		{Name: singleHost, Unit: "µs/row"},
	}
}

const drainNote = "The server sends each message by itself and decodes on one core. A reader that is done with a message before " +
	"the next one comes, as pg_recvlogical is, goes to sleep and is woken for each, which costs the server as much as the reader: " +
	"pg_recvlogical, which does nothing with what it gets, is no upper limit. Tidemark lets messages gather for 0.3 ms " +
	"while it reads a backlog, and then waits for the server alone. The limit is the server's processor time for a row: where " +
	"that, times the rate, is a whole core, the walsender is never idle, and no reader can be faster. The pglogrepl loop is near " +
	"that limit too, for the price of several times the reader's processor time: hence no more than that between the two. What " +
	"a send costs the server is up to the kernel's TCP: with BBR messages often leave together, and then a row costs it half as " +
	"much, with CUBIC nearly each is a packet of its own. A connection stays in the one mode or the other for long, whoever reads: " +
	"runs differ by a factor of two for this alone."

const skipNote = "Skip-ahead (row 3 of the targets) passes the backlog inside the server, with `pg_replication_slot_advance`, twice, " +
	"and is done when a row written afterwards has come through the slot. The server decodes once more what follows its last " +
	"record of running transactions. It writes one in 15 s, and with each checkpoint: this backlog, written in seconds, is given " +
	"four checkpoints, the last of them behind its last row, as one of minutes has many records and little behind the last. To " +
	"pass a row costs the server about 1 µs, to send it 2.4 to 6: the faster draining is, the less is there to gain. Positions " +
	"are published meanwhile, from the fence (11)."

// drains a backlog, once.
type drains func(ctx context.Context, b *backlog) error

func prepareDrain(ctx context.Context, s *contest.Stage) ([]contest.Contender, error) {
	n := s.Count(backlogRows, 2000)
	thousand, err := newBacklog(ctx, s, "bench_thousand", n, 1000)
	if err != nil {
		return nil, err
	}
	single, err := newBacklog(ctx, s, "bench_single", n, 1)
	if err != nil {
		return nil, err
	}
	contender := func(name string, skips bool, drain drains) contest.Contender {
		return contest.Contender{Name: name, Run: func(ctx context.Context) (contest.Result, error) {
			return timeBoth(ctx, thousand, single, skips, drain)
		}}
	}
	return []contest.Contender{
		contender(ours, false, drainByFollower),
		contender(skipping, true, skipByFollower),
		contender(recvlogical, false, drainByRecvLogical(s.Server.RecvLogical)),
		contender(exampleLoop, false, drainByLoop),
	}, nil
}

func timeBoth(ctx context.Context, thousand, single *backlog, skips bool, drain drains) (contest.Result, error) {
	r := contest.Result{}
	for _, kind := range []struct {
		b                      *backlog
		rate, time, used, host string
	}{
		{thousand, thousandRate, thousandTime, thousandUsed, thousandHost},
		{single, singleRate, singleTime, singleUsed, singleHost},
	} {
		var took time.Duration
		used, host, err := using(kind.b.db, func() (err error) {
			took, err = timed(func() error { return drain(ctx, kind.b) })
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.rate, err)
		}
		perRow := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(kind.b.rows) }
		r[kind.time], r[kind.used], r[kind.host] = took.Seconds(), perRow(used), perRow(host)
		if !skips {
			r[kind.rate] = float64(kind.b.rows) / took.Seconds()
		}
	}
	return r, nil
}

// using tells what processor time this process and the server need for fn.
func using(db *bed.Database, fn func() error) (ours, server time.Duration, err error) {
	measure := func() (a, b time.Duration, err error) {
		if a, err = processorTime(); err == nil {
			b, err = db.ServerProcessor()
		}
		return a, b, err
	}
	before, serverBefore, err := measure()
	if err == nil {
		err = fn()
	}
	if err != nil {
		return 0, 0, err
	}
	after, serverAfter, err := measure()
	return after - before, serverAfter - serverBefore, err
}

func timed(fn func() error) (time.Duration, error) {
	began := time.Now()
	err := fn()
	return time.Since(began), err
}

func drainByRecvLogical(program string) drains {
	return func(ctx context.Context, b *backlog) error {
		p := peer.RecvLogical{Program: program, URL: b.db.URL, Publication: bed.Publication}
		return b.onCopy(ctx, func(slot string) error { return p.Drain(ctx, slot, b.end) })
	}
}

func drainByLoop(ctx context.Context, b *backlog) error {
	return b.onCopy(ctx, func(slot string) error {
		seen := 0
		return peer.Loop{URL: b.db.URL, Publication: bed.Publication, Slot: slot, CommitFunc: func(ids []int64) bool {
			seen += len(ids)
			return seen >= b.rows
		}}.Run(ctx)
	})
}

// followSlot runs a follower on a copy of the slot for as long as fn runs.
func (b *backlog) followSlot(ctx context.Context, skipAhead int64, fn func(*bed.Following) error) error {
	return b.onCopy(ctx, func(slot string) error {
		cfg := b.db.Events()
		cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: slot, SkipAhead: skipAhead}
		f, err := bed.Follow(ctx, cfg)
		if err != nil {
			return err
		}
		return errors.Join(fn(f), f.Stop())
	})
}

// patience is how long anything may take before a run is given up.
const patience = 10 * time.Minute

func drainByFollower(ctx context.Context, b *backlog) error {
	return b.followSlot(ctx, 0, func(f *bed.Following) error {
		err := f.Until(ctx, patience, func(s follower.Status) bool { return s.Rows >= uint64(b.rows) })
		if s := f.Events.Status(); err == nil && (s.Rows < uint64(b.rows) || s.LateRows > 0) {
			return fmt.Errorf("%d of %d rows, %d of them late: %s", s.Rows, b.rows, s.LateRows, s.Reason)
		}
		return err
	})
}

// skipByFollower is done when a row written afterwards has come through the
// slot, and nearly none of the backlog has.
func skipByFollower(ctx context.Context, b *backlog) error {
	return b.followSlot(ctx, 1, func(f *bed.Following) error {
		if err := f.AwaitRow(ctx, b.db); err != nil {
			return err
		}
		if s := f.Events.Status(); s.Rows > uint64(b.rows)/2 {
			return fmt.Errorf("%d of %d rows were read: nothing was skipped", s.Rows, b.rows)
		}
		return nil
	})
}
