package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// A small disk for the WAL, which can be filled. It takes a mount, which takes
// root; elsewhere that fault is left out.

// diskSize is more than the slots retain while followers are stalled.
const diskSize = 512 << 20

// smallDisk mounts a disk, and returns what puts the WAL of a cluster on it;
// nil where that may not be done.
func (w *world) smallDisk() pgtest.Option {
	dir := w.t.TempDir()
	for up := dir; up != filepath.Dir(up); up = filepath.Dir(up) {
		_ = os.Chmod(up, 0o755) //nolint:gosec // the server runs as another user; what is not ours is passable
	}
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=0777", diskSize), "tmpfs", dir).CombinedOutput()
	if err != nil {
		w.t.Logf("no disk can be mounted, so none is filled: %s", strings.TrimSpace(string(out)))
		return nil
	}
	w.t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			w.t.Errorf("umount %s: %v: %s", dir, err, out)
		}
	})
	w.disk = dir
	return pgtest.InitArgs("--waldir=" + filepath.Join(dir, "wal"))
}

// disks are faults of the disk that the WAL is on.
func disks() []kind {
	return []kind{{name: diskFull, often: true, fits: func(w *world) bool { return w.disk != "" }, bring: fillDisk}}
}

const diskFull = "disk of the WAL full"

// fillDisk fills the disk: the server panics, and cannot recover until there is
// room again.
func fillDisk(ctx context.Context, w *world, rnd *rand.Rand) (err error) {
	w.crashes.Add(1)
	cluster, ballast := w.primary.Load(), filepath.Join(w.disk, "ballast")
	before := panics(cluster.LogTail(maxLog))
	if err := fill(ballast); err != nil {
		return err
	}
	for range 2000 {
		if panics(cluster.LogTail(maxLog)) > before || cluster.PID() == 0 {
			break
		}
		w.pause(ctx, pollPause)
	}
	w.pause(ctx, some(rnd, 2*time.Second))
	if err := os.Remove(ballast); err != nil {
		return err
	}
	// The postmaster has ended where it had no room to recover, or is about to.
	w.pause(ctx, 200*time.Millisecond)
	if panics(cluster.LogTail(maxLog)) == before {
		return errNot
	}
	if cluster.PID() != 0 {
		return nil
	}
	return cluster.StartAgain(ctx)
}

// maxLog is how many lines of a server's log are looked through.
const maxLog = 1 << 20

func panics(log string) int {
	return strings.Count(log, "PANIC:") + strings.Count(log, "FATAL:  could not write to file \"pg_wal")
}

// fill writes a file until there is no room left.
func fill(name string) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for size := 1 << 20; size >= 1<<12; size /= 2 {
		zeros := make([]byte, size)
		for err == nil {
			_, err = f.Write(zeros)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return fmt.Errorf("fill the disk: %w", err)
		}
		err = nil
	}
	return nil
}
