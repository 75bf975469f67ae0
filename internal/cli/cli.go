package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// System is what a command may touch of the process it runs in.
type System struct {
	// Stdout takes results, Stderr errors and the log.
	Stdout, Stderr io.Writer
	// Getenv looks up an environment variable, as os.Getenv does.
	Getenv func(string) string
}

// Run runs the command that args name, without the program's own name, until
// it is done or ctx ends, and returns the exit code of the process: 0 done, or
// stopped by ctx; 1 failed, or a check failed; 2 usage or configuration; 3
// timed out.
func Run(ctx context.Context, args []string, sys System) int {
	root := newRoot(sys)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return codeDone
	}
	_, _ = fmt.Fprintln(sys.Stderr, line(command, err)) // there is nowhere else to say it
	return code(err)
}

func newRoot(sys System) *cobra.Command {
	root := &cobra.Command{
		Use:   "tidemark",
		Short: "Positions up to which a stream of rows is complete",
		Long: "Tidemark tells the readers of append-only PostgreSQL tables up to which id\n" +
			"every row is committed and visible, so that none is missed.",
		SilenceErrors: true, SilenceUsage: true, SuggestionsMinimumDistance: 2,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		Args:              noSuchCommand,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(sys.Stdout)
	root.SetErr(sys.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w: %s --help lists the flags", err, cmd.CommandPath())
	})
	root.AddCommand(
		runCommand(sys), checkCommand(sys), setupCommand(sys), teardownCommand(sys), tailCommand(sys),
		statusCommand(sys), waitCommand(sys), watchCommand(sys), slotsCommand(sys), demoCommand(sys), versionCommand(),
	)
	return root
}

// noSuchCommand refuses what is no command, and names one that is like it.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return usage("there is no command %q: did you mean %s?", args[0], near[0])
	}
	return usage("there is no command %q: %s --help lists them", args[0], cmd.CommandPath())
}

// exactly refuses another number of arguments than the names it is given.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return usage("%d arguments are given and %d wanted: write %s", len(args), len(names), cmd.UseLine())
	}
}
