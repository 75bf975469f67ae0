package web

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// reloadEvery is how often at most the files are looked at.
	reloadEvery = time.Second
	maxFile     = 1 << 20
)

// reloaded is a value made from files, made anew when one of them changes. A
// change that cannot be read leaves the value as it was.
type reloaded[T any] struct {
	files  []string
	parse  func(contents [][]byte) (T, error)
	logger *slog.Logger

	mu struct {
		sync.Mutex
		value  T
		loaded []stamp // of the files that value was made from
		failed []stamp // of the files that could not be read: said once
		looked time.Time
	}
}

// stamp tells one version of a file from the next.
type stamp struct {
	modified time.Time
	size     int64
}

// load makes the first value; an error here is the operator's to mend.
func load[T any](logger *slog.Logger, parse func([][]byte) (T, error), files ...string) (*reloaded[T], error) {
	r := &reloaded[T]{files: files, parse: parse, logger: logger}
	stamps, err := r.stamps()
	if err != nil {
		return nil, err
	}
	r.mu.loaded = stamps
	r.mu.looked = time.Now()
	r.mu.value, err = r.read()
	return r, err
}

// get is the value of now, at most reloadEvery late.
func (r *reloaded[T]) get() T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.mu.looked) >= reloadEvery {
		r.mu.looked = now
		r.lookLocked()
	}
	return r.mu.value
}

func (r *reloaded[T]) lookLocked() {
	stamps, err := r.stamps()
	if err == nil && slices.Equal(stamps, r.mu.loaded) {
		return
	}
	var value T
	if err == nil {
		value, err = r.read()
	}
	if err == nil {
		// The stamps are older than what was read: a change in between is
		// found by the next look.
		r.mu.value, r.mu.loaded, r.mu.failed = value, stamps, nil
		r.logger.Info("file reloaded", "files", r.files)
		return
	}
	if r.mu.failed == nil || !slices.Equal(stamps, r.mu.failed) {
		r.mu.failed = append([]stamp{}, stamps...)
		r.logger.Error("file not reloaded, the old contents stay in use", "files", r.files, "error", err)
	}
}

func (r *reloaded[T]) stamps() ([]stamp, error) {
	stamps := make([]stamp, 0, len(r.files))
	for _, f := range r.files {
		info, err := os.Stat(f)
		if err != nil {
			return nil, err
		}
		stamps = append(stamps, stamp{modified: info.ModTime(), size: info.Size()})
	}
	return stamps, nil
}

func (r *reloaded[T]) read() (value T, err error) {
	contents := make([][]byte, 0, len(r.files))
	for _, f := range r.files {
		b, err := readSmall(f)
		if err != nil {
			return value, err
		}
		contents = append(contents, b)
	}
	return r.parse(contents)
}

// readSmall refuses a file that cannot be what was meant.
func readSmall(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s is %d bytes long, more than %d", name, info.Size(), maxFile)
	}
	return os.ReadFile(name)
}
