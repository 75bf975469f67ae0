package pgcluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// command is a server program, run as the cluster's account in an environment
// without the caller's PG* variables.
func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(c.binaries.path(program), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = c.account.attributes()
	return cmd
}

// run runs a program to its end; its output is part of the error.
func (c *Cluster) run(ctx context.Context, program string, args ...string) error {
	var output bytes.Buffer
	cmd := c.command(program, args...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w", program, c.account.explain(cmd.Path, err))
	}
	stop := context.AfterFunc(ctx, func() {
		_ = cmd.Process.Kill() // it may have ended just now
	})
	defer stop()
	err := errors.Join(c.guard.guard(cmd.Process), cmd.Wait(), c.guard.forget())
	if err != nil {
		return fmt.Errorf("run %s: %w: %s", program, errors.Join(ctx.Err(), err), strings.TrimSpace(output.String()))
	}
	return nil
}
