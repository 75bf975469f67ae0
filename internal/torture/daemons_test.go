package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// Followers in processes of their own, that can be killed and frozen. Two of
// them share a permanent slot: one reads it, the other waits to take over. What
// they publish is read in the table of kept positions.

const (
	daemonTable = "daemon_positions"
	// envFollower makes the test binary a follower, configured by its value.
	envFollower = "TIDEMARK_TORTURE_FOLLOWER"
)

// daemon is one such process.
type daemon struct {
	w   *world
	cfg string
	cmd *exec.Cmd
	in  io.Closer // its end ends the process
}

// daemonConfig is what of a configuration crosses over to the process.
type daemonConfig struct {
	Database  string
	Readers   []string
	Streams   []follower.StreamConfig
	Slot      follower.SlotConfig
	Published follower.PublishedConfig
}

// runDaemon is the process: a follower until standard input ends.
func runDaemon(text string) error {
	var c daemonConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	f, err := follower.New(follower.Config{
		Database: c.Database, Readers: c.Readers, Streams: c.Streams, Slot: c.Slot, Published: c.Published,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // nothing comes but its end
		cancel()
	}()
	return f.Run(ctx)
}

// addDaemons starts two processes that follow like base.
func (w *world) addDaemons(base follower.Config) {
	text, err := json.Marshal(daemonConfig{
		Database: base.Database, Readers: base.Readers, Streams: base.Streams,
		Slot:      follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark_daemon"},
		Published: follower.PublishedConfig{Table: "public." + daemonTable},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for range 2 {
		d := &daemon{w: w, cfg: string(text)}
		if err := d.start(); err != nil {
			w.t.Fatal(err)
		}
		w.daemons = append(w.daemons, d)
		w.t.Cleanup(func() { d.kill() })
	}
}

func (d *daemon) start() error {
	d.cmd = exec.Command(os.Args[0])
	d.cmd.Env = append(os.Environ(), envFollower+"="+d.cfg)
	if *logFlag {
		d.cmd.Stderr = d.w.t.Output()
	}
	var err error
	if d.in, err = d.cmd.StdinPipe(); err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	if err := d.cmd.Start(); err != nil {
		return fmt.Errorf("start follower: %w", err)
	}
	return nil
}

// kill ends the process as kill -9 does.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill() // it may have ended
	_ = d.cmd.Wait()         // killed, as it should be
	_ = d.in.Close()
}

// awaitKept returns once the daemons' table says that id is covered.
func (w *world) awaitKept(ctx context.Context, s *stream, id int64) error {
	if len(w.daemons) == 0 {
		return nil
	}
	var x session
	defer x.close()
	for {
		conn, _, err := x.get(ctx, w.primary.Load())
		var p int64
		if err == nil {
			err = conn.QueryRow(ctx, "SELECT coalesce(max(abs(position)), 0) FROM "+daemonTable+" WHERE stream = $1", s.name).Scan(&p)
		}
		if err == nil && p >= id {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the daemons have published %d of %d: %w", p, id, ctx.Err())
		}
		w.pause(ctx, pollPause)
	}
}

// daemonKinds are faults of these processes.
func daemonKinds() []kind {
	there := func(w *world) bool { return len(w.daemons) > 0 }
	return []kind{
		{name: "kill -9 follower", beside: true, often: true, fits: there, bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			d := w.daemons[rnd.IntN(len(w.daemons))]
			d.kill()
			w.pause(ctx, some(rnd, 2*time.Second))
			return d.start()
		}},
		{name: "both followers killed", fits: there, bring: func(_ context.Context, w *world, _ *rand.Rand) error {
			for _, d := range w.daemons {
				d.kill()
			}
			for _, d := range w.daemons {
				if err := d.start(); err != nil {
					return err
				}
			}
			return nil
		}},
		{name: "follower frozen", fits: there, bring: func(ctx context.Context, w *world, rnd *rand.Rand) error {
			d := w.daemons[rnd.IntN(len(w.daemons))]
			if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
				return fmt.Errorf("freeze follower: %w", err)
			}
			w.pause(ctx, some(rnd, 4*time.Second))
			return d.cmd.Process.Signal(syscall.SIGCONT)
		}},
	}
}
