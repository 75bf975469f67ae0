package cli

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/config"
	"github.com/tidemark-pg/tidemark/internal/setup"
)

func setupCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "setup -c FILE", Short: "make publications, positions tables and the permanent slot", Args: exactly(),
		Long: "setup makes what the configuration needs and the database lacks, and nothing\n" +
			"else: it may be run at any time. It waits for open write transactions where it\n" +
			"makes a slot.",
	}
	planned(cmd, sys, setup.Plan)
	return cmd
}

func teardownCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "teardown -c FILE", Short: "take away what setup made; never a stream table", Args: exactly(),
	}
	planned(cmd, sys, setup.PlanTeardown)
	return cmd
}

// plan is what setup and teardown differ in.
type plan func(context.Context, *pgx.Conn, *config.Config) ([]setup.Statement, error)

// planned makes a command plan, and print or apply.
func planned(cmd *cobra.Command, sys System, plan plan) {
	cfgFlag := configFlag(cmd, sys)
	onlyPrint := cmd.Flags().Bool("print", false, "only print the SQL")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := cfgFlag.load()
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		conn, err := connect(ctx, cfg.Follower.Database)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // all that was done has been answered
		statements, err := plan(ctx, conn, cfg)
		if err != nil {
			return err
		}
		if *onlyPrint {
			return setup.Print(sys.Stdout, statements)
		}
		return apply(ctx, conn, sys, statements)
	}
}

// apply runs a plan and says what it has done.
func apply(ctx context.Context, conn *pgx.Conn, sys System, statements []setup.Statement) error {
	if len(statements) == 0 {
		_, err := fmt.Fprintln(sys.Stdout, "nothing to do")
		return err
	}
	progress := func(text string) {
		_, _ = fmt.Fprintln(sys.Stdout, printable(text)) // only to keep whoever waits informed
	}
	if err := setup.Apply(ctx, conn, statements, progress); err != nil {
		return err
	}
	for _, s := range statements {
		if _, err := fmt.Fprintln(sys.Stdout, printable("done: "+s.Doing)); err != nil {
			return err
		}
	}
	return nil
}
