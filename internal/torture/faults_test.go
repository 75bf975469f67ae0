package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// errNot: the fault did not come about, and changed nothing.
var errNot = errors.New("did not come about")

// some is a random time up to d.
func some(rnd *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(rnd.Int64N(int64(d)))
}

// killings end processes.
func killings() []kind {
	return []kind{
		{name: "kill -9 server", quick: true, bring: killServer},
		{name: "kill -9 walsender", bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			return w.kill9(ctx, rnd, "backend_type = 'walsender' AND application_name = 'tidemark'")
		}},
		{name: "kill -9 backend", bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			return w.kill9(ctx, rnd, "backend_type = 'client backend' AND application_name IN ('tidemark', 'writer')")
		}},
		{name: "terminate backends", quick: true, beside: true, bring: terminate},
		{name: "restart follower", quick: true, beside: true, bring: restart},
	}
}

func killServer(ctx context.Context, w *world, rnd *rand.Rand) error {
	w.crashes.Add(1)
	if err := w.primary.Load().Kill(); err != nil {
		return err
	}
	w.pause(ctx, some(rnd, time.Second))
	return w.primary.Load().StartAgain(ctx)
}

// kill9 kills one process of the server, which makes the postmaster end all
// others and recover.
func (w *world) kill9(ctx context.Context, rnd *rand.Rand, which string) error {
	return w.on(ctx, func(conn *pgx.Conn) error {
		rows, _ := conn.Query(ctx, "SELECT pid FROM pg_stat_activity WHERE "+which)
		pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return errNot
		}
		w.crashes.Add(1)
		if err := syscall.Kill(pids[rnd.IntN(len(pids))], syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill backend: %w", err)
		}
		for conn.Ping(ctx) == nil { // until this session has been ended too
			w.pause(ctx, pollPause)
		}
		return nil
	})
}

// terminate ends sessions of the followers, several times.
func terminate(ctx context.Context, w *world, rnd *rand.Rand) error {
	return w.on(ctx, func(conn *pgx.Conn) error {
		for range 1 + rnd.IntN(8) {
			_, err := conn.Exec(ctx, `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
				WHERE application_name LIKE 'tidemark%' ORDER BY random() LIMIT 1) a`)
			if err != nil {
				return err
			}
			w.pause(ctx, some(rnd, 400*time.Millisecond))
		}
		return nil
	})
}

// restart stops the follower whose positions are kept, and starts it again.
func restart(ctx context.Context, w *world, rnd *rand.Rand) error {
	f := w.followers[0]
	f.stop()
	w.pause(ctx, some(rnd, time.Second))
	f.start()
	return nil
}

// cables are faults between followers and server.
func cables() []kind {
	stall := func(up, down bool) func(context.Context, *world, *rand.Rand) error {
		return func(ctx context.Context, w *world, rnd *rand.Rand) error {
			defer w.heal()
			for _, p := range w.proxies {
				if up {
					p.Up.Stall()
				}
				if down {
					p.Down.Stall()
				}
			}
			w.pause(ctx, 500*time.Millisecond+some(rnd, 6*time.Second))
			return nil
		}
	}
	return []kind{
		{name: "cut", quick: true, beside: true, bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			for range 1 + rnd.IntN(3) {
				for _, p := range w.proxies {
					p.Cut()
				}
				w.pause(ctx, some(rnd, 300*time.Millisecond))
			}
			return nil
		}},
		{name: "connections forgotten", fits: func(w *world) bool { return w.forgets }, bring: forget},
		{name: "stall to server", beside: true, bring: stall(true, false)},
		{name: "stall from server", beside: true, bring: stall(false, true)},
		{name: "stall", beside: true, bring: stall(true, true)},
		{name: "slow", beside: true, bring: slow},
	}
}

func (w *world) heal() {
	for _, p := range w.proxies {
		p.Heal()
	}
}

// forget has the connections to the server lost without a word. (Who asks the
// daemons over HTTP notices after 40 s, which is another test's matter.)
func forget(_ context.Context, w *world, _ *rand.Rand) error {
	for _, p := range w.proxies {
		if !slices.ContainsFunc(w.daemons, func(d *daemon) bool { return d.http == p }) {
			p.Forget()
		}
	}
	return nil
}

func slow(ctx context.Context, w *world, rnd *rand.Rand) error {
	defer w.heal()
	for _, p := range w.proxies {
		p.Up.Slow(some(rnd, 100*time.Millisecond))
		p.Down.Slow(some(rnd, 100*time.Millisecond))
	}
	w.pause(ctx, time.Second+some(rnd, 3*time.Second))
	return nil
}

// slots are faults of the permanent slot, and of who is waited for.
func slots() []kind {
	names := func(value string) func(context.Context, *world, *rand.Rand) error {
		return func(ctx context.Context, w *world, rnd *rand.Rand) error {
			if err := w.set(ctx, "synchronous_standby_names", value); err != nil {
				return err
			}
			w.pause(ctx, 500*time.Millisecond+some(rnd, 2*time.Second))
			return w.set(ctx, "synchronous_standby_names", "")
		}
	}
	return []kind{
		{name: "slot dropped", quick: true, beside: true, bring: dropSlot},
		{name: "slot invalidated", fits: func(w *world) bool { return w.role == alone }, bring: invalidate},
		{name: "synchronous standby nobody", beside: true, bring: names("nobody")},
		{name: "synchronous standby *", beside: true, bring: names("*")},
	}
}

func (w *world) set(ctx context.Context, name, value string) error {
	return w.primary.Load().SetSettings(ctx, map[string]string{name: value})
}

// dropSlot drops the slot as soon as nobody reads it, having ended who does.
func dropSlot(ctx context.Context, w *world, _ *rand.Rand) error {
	return w.on(ctx, func(conn *pgx.Conn) error {
		for range 400 {
			_, err := conn.Exec(ctx, `SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
				WHERE slot_name = 'tidemark' AND active_pid IS NOT NULL`)
			if err != nil {
				return err
			}
			_, err = conn.Exec(ctx, "SELECT pg_drop_replication_slot('tidemark')")
			if err == nil {
				return nil
			}
			if !strings.Contains(err.Error(), "is active") {
				return errNot // it is not there
			}
			w.pause(ctx, time.Millisecond)
		}
		return errNot
	})
}

// invalidate has the server give up the slot: nothing reaches the follower
// while much WAL is written.
func invalidate(ctx context.Context, w *world, _ *rand.Rand) (err error) {
	defer w.heal()
	for _, p := range w.proxies {
		p.Down.Stall()
	}
	if err := w.set(ctx, "max_slot_wal_keep_size", "2MB"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.set(ctx, "max_slot_wal_keep_size", "-1")) }()
	return w.on(ctx, func(conn *pgx.Conn) error {
		for range 40 {
			_, err := conn.Exec(ctx, "SELECT pg_logical_emit_message(false, 'torture', repeat('x', 1000000)), pg_switch_wal()")
			if err == nil {
				_, err = conn.Exec(ctx, "CHECKPOINT")
			}
			if err != nil {
				return err
			}
			var there, lost bool
			err = conn.QueryRow(ctx, "SELECT count(*) = 1, coalesce(bool_or(wal_status = 'lost'), false) FROM pg_replication_slots WHERE slot_name = 'tidemark'").Scan(&there, &lost)
			if err != nil || lost {
				return err
			}
			if !there {
				return errNot
			}
		}
		return errNot
	})
}

// standbys are faults of a standby.
func standbys() []kind {
	return []kind{
		{
			name: "standby paused", fits: func(w *world) bool { return w.role == read },
			bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
				if err := w.onStandby(ctx, "SELECT pg_wal_replay_pause()"); err != nil {
					return err
				}
				w.pause(ctx, some(rnd, 3*time.Second))
				return w.onStandby(ctx, "SELECT pg_wal_replay_resume()")
			},
		},
		{name: "standby killed", fits: func(w *world) bool { return w.role == read }, bring: killStandby},
		{
			name: "synchronous standby gone and back", fits: func(w *world) bool { return w.role == read },
			bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
				if err := w.set(ctx, "synchronous_standby_names", "standby"); err != nil {
					return err
				}
				w.pause(ctx, some(rnd, time.Second))
				return errors.Join(killStandby(ctx, w, rnd), w.set(ctx, "synchronous_standby_names", ""))
			},
		},
		{name: "failover", often: true, fits: func(w *world) bool { return w.role == takeOver && w.primary.Load() != w.standby }, bring: failover},
	}
}

func killStandby(ctx context.Context, w *world, rnd *rand.Rand) error {
	if err := w.standby.Kill(); err != nil {
		return err
	}
	w.pause(ctx, some(rnd, 2*time.Second))
	return w.standby.StartAgain(ctx)
}

func (w *world) onStandby(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, url(w.standby, "torture"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, sql)
	return err
}

// failover: the primary is gone, and a standby that has not got everything
// becomes one.
func failover(ctx context.Context, w *world, rnd *rand.Rand) error {
	if rnd.IntN(2) == 0 {
		if err := w.onStandby(ctx, "SELECT pg_wal_replay_pause()"); err != nil {
			return err
		}
		w.pause(ctx, some(rnd, time.Second))
	}
	w.crashes.Add(1)
	former := w.primary.Load()
	if err := former.Kill(); err != nil {
		return err
	}
	w.pause(ctx, some(rnd, time.Second))
	if err := w.promote(ctx); err != nil {
		return err
	}
	w.primary.Store(w.standby)
	if rnd.IntN(2) == 0 {
		return nil
	}
	// The former primary comes back and takes writes: nobody may follow it.
	w.pause(ctx, some(rnd, 4*time.Second))
	return former.StartAgain(ctx)
}

// promote promotes the standby. What asks for it may be in the way of what is
// still to be replayed, and is cancelled then: the promotion goes on.
func (w *world) promote(ctx context.Context) error {
	err := w.standby.Promote(ctx)
	if err == nil || !expected(err) {
		return err
	}
	for recovering := true; recovering && ctx.Err() == nil; w.pause(ctx, 10*pollPause) {
		conn, connecting := pgx.Connect(ctx, url(w.standby, "torture"))
		if connecting != nil {
			continue
		}
		err = conn.QueryRow(ctx, "SELECT pg_is_in_recovery()").Scan(&recovering)
		_ = conn.Close(ctx)
		if err != nil && !expected(err) {
			return err
		}
	}
	return ctx.Err()
}
