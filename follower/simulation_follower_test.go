package follower

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/tracker"
)

const announced = gate.Announced

// simFollower is a follower: what it knows is in a life, and what waits at its
// gate in the gate's own queue. Here are the slot, and the session around them.
type simFollower struct {
	*sim
	life  *life
	shown int64 // its position when it was looked at last

	queue     gate.Queue
	slot      int  // records that have been decoded
	confirmed int  // records that the slot may have forgotten; 0: there is none yet
	streaming bool // the session has loaded

	session, second, gating *simProcess
}

func (s *sim) newFollower() *simFollower {
	of, err := newStream(StreamConfig{
		Name: "s", Allocation: AllocationAnnounced, Descending: s.descending, Writers: s.listed, Tables: []TableConfig{{Name: "s"}},
	}, Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.Fatal(err)
	}
	return &simFollower{sim: s, life: of.life.Load()}
}

// lose ends the session; the position stays. RULES 2.
func (f *simFollower) lose() {
	for _, p := range []*simProcess{f.session, f.second, f.gating} {
		p.kill()
	}
	f.note("a follower's session ends")
	f.queue, f.streaming = gate.Queue{}, false
}

// begin begins a session: the slot goes on where it was confirmed, or skips what
// is on disk; and what it does not send again is loaded. RULES 20.
func (f *simFollower) begin() {
	if f.session.going() || f.streaming {
		f.session.step()
		return
	}
	f.session = f.start(nil, func(p *simProcess) {
		if f.wrong != slotLast {
			f.place()
			p.pause()
		}
		tables := &simTables{simFollower: f, p: p}
		registering, err := loading{f.life, tables}.first(context.Background())
		if err != nil {
			panic(err)
		}
		if f.wrong == slotLast {
			for range 10 {
				p.wait()
			}
			f.place()
		}
		f.life.become()
		f.streaming = true
		if len(registering) > 0 {
			f.finish(registering)
		}
	}, f.lose)
}

// place puts the slot where the session is to begin. Ours always skips; that
// one which does not is as good is more than we need.
func (f *simFollower) place() {
	skips := f.confirmed == 0 || f.choose(2) == 0 && f.wrong != onlyResumed && f.wrong != confirmedOnReceipt
	if skips {
		f.confirmed = f.db.onDisk
	}
	f.slot = f.confirmed
}

// confirm has the slot forget what has passed the gate. RULES 2.
func (f *simFollower) confirm() {
	f.confirmed = simRecords(f.queue.Confirmable(simLSN(f.slot)))
	if f.wrong == confirmedOnReceipt {
		f.confirmed = f.slot
	}
}

func (f *simFollower) finish(registering []string) {
	f.second = f.start(nil, func(p *simProcess) {
		if err := (loading{f.life, &simTables{simFollower: f, p: p}}).second(context.Background(), registering); err != nil {
			panic(err)
		}
	}, f.lose)
}

// decode takes what the slot sends: commits that are on disk, in their order.
func (f *simFollower) decode(n int) {
	for ; n > 0 && f.streaming && f.slot < f.db.onDisk; n-- {
		if t := f.db.wal[f.slot].commit; t != nil && len(t.changes) > 0 {
			f.queue.Add(gate.Commit{
				XID: uint32(t.xid), LSN: simLSN(f.slot), End: simLSN(f.slot + 1),
				Runs: f.runs(t), Ordered: true,
			})
		}
		f.slot++
	}
	f.confirm()
}

func (f *simFollower) runs(t *simTransaction) []gate.Run {
	var runs []gate.Run
	for _, c := range t.changes {
		at := f.outward(c.id)
		r := gate.Run{Writer: c.writer, From: at, To: at, Verb: c.verb}
		if c.verb == gate.Inserted {
			r.Rows = 1
		}
		runs = append(runs, r)
		if c.verb == announced && f.wrong == positionIsDone {
			runs = append(runs, gate.Run{Writer: c.writer, From: at, To: at, Rows: 1})
		}
	}
	return runs
}

// gate lets through what a snapshot sees.
func (f *simFollower) gate() {
	if f.gating.going() || f.queue.Len() == 0 {
		f.gating.step()
		return
	}
	f.gating = f.start(nil, func(p *simProcess) {
		snapshot, seen := f.db.snapshot(), pglogrepl.LSN(f.db.inserted())
		p.pause()
		if f.wrong == noGate {
			snapshot, _ = gate.ParseSnapshot("1000000:1000000:")
		}
		if cleared := f.queue.Clear(snapshot, nil); len(cleared) > 0 {
			f.life.visible(cleared, 0, seen, time.Now(), nil)
			f.confirm()
		}
	}, f.lose)
}

// simTables answers a load from the simulated database.
type simTables struct {
	*simFollower
	p     *simProcess
	taken loaded           // what shown has taken a snapshot of
	seen  map[int64]string // the rows
}

// published is nothing: a life goes on here, and keeps its position.
func (t *simTables) published(context.Context) kept { return kept{} }

func (t *simTables) drawn(context.Context) (int64, error) {
	last := t.db.lastValue(t.p)
	t.p.pause()
	return last, nil
}

func (t *simTables) registering(context.Context) ([]string, error) {
	var who []string
	if t.wrong != noHolders && t.wrong != onlyResumed && t.wrong != confirmedOnReceipt {
		who = t.db.who(true)
	}
	t.p.pause()
	return who, nil
}

func (t *simTables) writing(_ context.Context, registering []string) (bool, error) {
	still := func(name string) bool { return slices.Contains(t.db.who(true), name) }
	for slices.ContainsFunc(registering, still) {
		t.p.wait()
	}
	for range 80 * t.choose(3) { // it is asked now and then
		t.p.wait()
	}
	return false, nil
}

func (t *simTables) positions(context.Context) (loaded, error) {
	got := t.taken
	for name, id := range got.positions {
		got.positions[name] = t.outward(id)
	}
	t.p.pause()
	return got, nil
}

func (t *simTables) rows(_ context.Context, above int64, found func([]tracker.Event, pglogrepl.LSN)) error {
	var events []tracker.Event
	for _, id := range slices.Sorted(maps.Keys(t.seen)) {
		if at := t.outward(id); id > t.inward(above) {
			events = append(events, tracker.Event{Verb: tracker.VerbObserve, Writer: t.seen[id], From: at, To: at})
		}
	}
	half := len(events) / 2
	t.p.pause()
	found(events[:half], t.taken.wal)
	t.p.sometimes()
	found(events[half:], t.taken.wal)
	return nil
}

// shown keeps what the others read, for a snapshot does not change.
func (t *simTables) shown(_ context.Context, read func() error) error {
	snapshot, wal, records := t.db.snapshot(), pglogrepl.LSN(t.db.inserted()), len(t.db.wal)
	t.taken = loaded{snapshot: snapshot, wal: wal, positions: t.db.visiblePositions()}
	t.seen = maps.Clone(t.db.rows)
	t.p.pause()
	if t.wrong != notKept {
		t.db.flush(records)
	}
	return read()
}
