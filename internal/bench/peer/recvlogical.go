package peer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// RecvLogical is PostgreSQL's own program, writing to the null device: what the
// server can send, taken by a client that does nothing with it.
type RecvLogical struct {
	// Program is its path, URL the database, Publication what is sent.
	Program, URL, Publication string
}

// command reads a slot with further arguments.
func (p RecvLogical) command(slot string, further ...string) *exec.Cmd {
	args := append([]string{
		"--dbname", p.URL, "--slot", slot, "--start", "--no-loop", "--file", os.DevNull,
		"--option", "proto_version=1", "--option", "publication_names=" + p.Publication,
	}, further...)
	return exec.Command(p.Program, args...)
}

// Drain reads a slot up to an LSN and returns when it is there.
func (p RecvLogical) Drain(ctx context.Context, slot, lsn string) error {
	stop, err := p.start(ctx, p.command(slot, "--endpos", lsn))
	if err != nil {
		return err
	}
	return stop(false)
}

// Attach reads a slot until stop is called.
func (p RecvLogical) Attach(ctx context.Context, slot string) (stop func() error, err error) {
	end, err := p.start(ctx, p.command(slot))
	if err != nil {
		return nil, err
	}
	return func() error { return end(true) }, nil
}

// start runs the command. The result waits for its end, having interrupted it
// or not.
func (p RecvLogical) start(ctx context.Context, cmd *exec.Cmd) (end func(interrupt bool) error, err error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start pg_recvlogical: %w", err)
	}
	release := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() }) // it may have ended just now
	return func(interrupt bool) error {
		defer release()
		if interrupt {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				return fmt.Errorf("interrupt pg_recvlogical: %w", errors.Join(err, cmd.Wait()))
			}
		}
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("pg_recvlogical: %w: %s", err, strings.TrimSpace(said.String()))
		}
		return nil
	}, nil
}
