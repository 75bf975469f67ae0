package follower_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// healsWithin is how soon a stream must be well again once what was missing is
// there: within 15 s, as deploy/operations.md promises.
const healsWithin = 15 * time.Second

func (b *bed) halted(s *follower.Stream, names ...string) {
	b.t.Helper()
	st := b.await(s, "halted", func(st follower.Status) bool { return st.State == follower.StateHalted })
	for _, name := range names {
		if !strings.Contains(st.Reason, name) {
			b.t.Errorf("halted: %q does not name %s", st.Reason, name)
		}
	}
}

func (b *bed) heals(s *follower.Stream) {
	b.t.Helper()
	began := time.Now()
	b.following(s)
	if took := time.Since(began); took > healsWithin {
		b.t.Errorf("healed after %s", took)
	}
	b.streaming()
	b.reach(s, b.insert(b.sql, "healed"))
}

// RULES 10: a replay after DDL can fail for ever: the slot has to be skipped.
// Meanwhile P comes from the fence.
func TestAPublicationDroppedAndMadeAgain(t *testing.T) {
	t.Parallel()
	for _, kind := range []follower.SlotConfig{{}, {Kind: follower.SlotPermanent, Name: "tidemark"}} {
		b := newBed(t, events)
		cfg := eventsConfig(b.url)
		cfg.Slot = kind
		_, s := b.follow(cfg)
		b.following(s)
		b.streaming()
		b.exec("DROP PUBLICATION tidemark")
		id := b.insert(b.sql, "a")
		b.reach(s, id) // from the fence
		b.halted(s, "publication tidemark")
		b.exec("CREATE PUBLICATION tidemark FOR TABLE events (id, instance_name) WITH (publish = 'insert')")
		b.heals(s)
		if st := s.Status(); st.LateRows != 0 || st.Writers["a"] != id {
			t.Errorf("%+v", st)
		}
	}
}

func TestAColumnRenamedAndBack(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	_, s := b.follow(cfg)
	b.following(s)
	b.streaming()
	b.exec("ALTER TABLE events RENAME COLUMN id TO ident")
	b.exec("INSERT INTO events (instance_name) VALUES ('a')")
	b.halted(s, "public.events", "id")
	b.exec("ALTER TABLE events RENAME COLUMN ident TO id")
	b.heals(s)
}

// One stream's fault is not another's.
func TestOneHaltedStreamStopsNoOther(t *testing.T) {
	t.Parallel()
	b := newBed(t, shapes)
	f, _ := b.follow(shapesConfig(b.url))
	ident, _ := f.Stream("identity")
	serial, _ := f.Stream("serial")
	b.following(ident)
	b.following(serial)
	b.streaming()
	b.exec("ALTER TABLE serial_ RENAME COLUMN who TO whom")
	b.exec("INSERT INTO serial_ (whom) VALUES ('a')")
	b.halted(serial, "public.serial_", "who")
	b.following(ident)
	b.exec("INSERT INTO identity_ (who) VALUES ('a')")
	b.reach(ident, 1)
	ok, why := f.Ready()
	if ok || !strings.Contains(why, `"serial" is halted`) {
		t.Errorf("ready %v: %s", ok, why)
	}
}

// RULES 4 and 11: ids that start over are a new epoch, loudly; who waits in the
// old one fails at once.
func TestIDsThatStartOverAreANewEpoch(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"TRUNCATE RESTART IDENTITY": "TRUNCATE events RESTART IDENTITY",
		"more rows than before":     "TRUNCATE events RESTART IDENTITY; INSERT INTO events (instance_name) SELECT 'new' FROM generate_series(1, 50)",
		"setval back":               "DELETE FROM events; SELECT setval('events_id_seq', 2)",
		"DROP and CREATE": `DROP TABLE events; CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instance_name text);
			ALTER PUBLICATION tidemark ADD TABLE events (id, instance_name)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, events)
			_, s := b.follow(eventsConfig(b.url))
			b.following(s)
			for range 10 {
				b.reach(s, b.insert(b.sql, "old"))
			}
			old := s.Status().Epoch
			failed := make(chan error, 1)
			go func() { failed <- s.WaitFor(context.Background(), follower.Target{Position: 1000, Epoch: old}) }()
			b.exec(sql)
			b.await(s, "another epoch", func(st follower.Status) bool { return st.Known && st.Epoch != old })
			var changed *follower.EpochError
			if err := <-failed; !errors.As(err, &changed) || changed.Want != old || changed.Have == old {
				t.Errorf("a waiter of the old epoch: %v", err)
			}
			id := b.insert(b.sql, "new")
			b.reach(s, id)
			b.following(s)
			if st := s.Status(); st.Position != id {
				t.Errorf("position %d, newest %d", st.Position, id)
			}
		})
	}
}

// Self-audit: a row written by hand below the position is a broken promise.
func TestALateRowIsCounted(t *testing.T) {
	t.Parallel()
	b := newBed(t, `CREATE SEQUENCE ids; CREATE TABLE events (id bigint DEFAULT nextval('ids'), instance_name text);
		CREATE PUBLICATION tidemark FOR TABLE events (id, instance_name) WITH (publish = 'insert')`)
	cfg := eventsConfig(b.url)
	cfg.Streams[0].Sequence = "ids"
	_, s := b.follow(cfg)
	b.following(s)
	b.streaming()
	tx := b.begin()
	gap := b.insert(tx, "dead")
	b.ok(tx.Rollback(t.Context()))
	b.reach(s, b.insert(b.sql, "a"))
	if n := s.Status().LateRows; n != 0 {
		t.Fatalf("%d late rows before any was written by hand", n)
	}
	if _, err := b.sql.Exec(t.Context(), "INSERT INTO events VALUES ($1, 'by hand')", gap); err != nil {
		t.Fatal(err)
	}
	b.await(s, "the late row", func(st follower.Status) bool { return st.LateRows == 1 })
}

// So is one below rows that moved the position without any fence: somebody keeps
// each from being done.
func TestALateRowBelowRowsIsCounted(t *testing.T) {
	t.Parallel()
	b := newBed(t, `CREATE SEQUENCE ids; CREATE TABLE events (id bigint DEFAULT nextval('ids'), instance_name text);
		CREATE PUBLICATION tidemark FOR TABLE events (id, instance_name) WITH (publish = 'insert')`)
	cfg := eventsConfig(b.url)
	cfg.Streams[0].Sequence = "ids"
	_, s := b.follow(cfg)
	b.following(s)
	b.streaming()
	holds := b.begin()
	_, err := holds.Exec(t.Context(), "SELECT FROM pg_sequences WHERE last_value > 0")
	b.ok(err)
	for range 3 {
		b.reach(s, b.insert(b.sql, "a"))
	}
	b.exec("INSERT INTO events VALUES (2, 'by hand')")
	b.await(s, "the late row", func(st follower.Status) bool { return st.LateRows == 1 })
	b.ok(holds.Rollback(t.Context()))
}

func TestTheSlotIsHandedOver(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	cfg := eventsConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	first, err := follower.New(cfg)
	b.ok(err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- first.Run(ctx) }()
	b.following(first.Streams()[0])
	b.streaming()
	_, second := b.follow(cfg)
	st := b.await(second, "standby", func(st follower.Status) bool { return st.State == follower.StateStandby })
	if !strings.Contains(st.Reason, `"tidemark"`) || !strings.Contains(st.Reason, "pid") {
		t.Errorf("reason %q", st.Reason)
	}
	id := b.insert(b.sql, "a")
	b.reach(second, id) // a standby's positions come from the fence
	began := time.Now()
	cancel()
	b.ok(<-ended)
	b.following(second)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("taken over after %s", took)
	}
	b.reach(second, b.insert(b.sql, "b"))
}

// Who reads in the middle of everything is cut off; nothing is missed.
func TestKilledConnectionsAreReplaced(t *testing.T) {
	b := newBed(t, proofSchema)
	cfg := proofConfig(b.url)
	cfg.Slot = follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark"}
	f, s := b.follow(cfg)
	b.following(s)
	ctx, cancel := context.WithCancel(t.Context())
	killer := b.connect()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			select {
			case <-time.After(150 * time.Millisecond):
			case <-ctx.Done():
				return
			}
			if _, err := killer.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
				WHERE application_name = 'tidemark' ORDER BY random() LIMIT 1) a`); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	r, missed, rows := b.proof(6*time.Second,
		func() (int64, error) { return s.CurrentToken(), nil },
		func(newest int64) { cancel(); <-done; b.reach(s, newest) })
	cancel()
	if missed != 0 || r.backward != 0 {
		t.Errorf("%d of %d rows missed, %d steps back", missed, rows, r.backward)
	}
	if st := s.Status(); st.LateRows != 0 {
		t.Errorf("%d late rows", st.LateRows)
	}
	t.Logf("%d reconnects", f.Stats().Reconnects)
}
