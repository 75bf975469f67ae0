package rows

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/tidemark-pg/tidemark/internal/config"
	"github.com/tidemark-pg/tidemark/internal/daemon"
	"github.com/tidemark-pg/tidemark/internal/logging"
)

// PartArgument is the first argument of this program where it runs a part of a
// comparison as a process of its own.
const PartArgument = "part"

// Parts of comparisons.
const (
	partDaemon  = "daemon"
	partClients = "clients"
)

// RunPart runs the part that the first argument names, as the JSON in the
// second says; its result goes to out as JSON.
func RunPart(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 2 {
		return fmt.Errorf("a part has a name and its task, not %q", args)
	}
	switch args[0] {
	case partDaemon:
		return runDaemon(ctx, args[1])
	case partClients:
		var c clients
		if err := json.Unmarshal([]byte(args[1]), &c); err != nil {
			return fmt.Errorf("read the task: %w", err)
		}
		r, err := c.run(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(r)
	}
	return fmt.Errorf("there is no part %q", args[0])
}

// runDaemon runs a daemon with a configuration until ctx ends, or whoever
// started it does.
func runDaemon(ctx context.Context, yaml string) error {
	cfg, err := config.Parse("bench", []byte(yaml))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadByte() // the pipe ends with the process that holds it
		stop()
	}()
	return daemon.Run(ctx, cfg, "bench", logging.New(os.Stderr, cfg.Log))
}

// startPart starts a part that runs until stop is called.
func startPart(program, name, task string) (stop func() error, err error) {
	cmd := exec.Command(program, PartArgument, name, task)
	cmd.Stderr = os.Stderr
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return func() error { return errors.Join(hold.Close(), cmd.Wait()) }, nil
}

// runPart runs a part to its end and reads its result.
func runPart(ctx context.Context, program, name string, task, result any) error {
	text, err := json.Marshal(task)
	if err != nil {
		return fmt.Errorf("write the task: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, PartArgument, name, string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return json.Unmarshal(out, result)
}
