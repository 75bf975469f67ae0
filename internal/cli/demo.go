package cli

import (
	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/demo"
)

func demoCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "demo", Short: "watch positions live on a private, throw-away server", Args: exactly(),
		Long: "demo starts a PostgreSQL server of its own, on which writers commit out of order,\n" +
			"roll back and stall while a worker reads. It ends with what was missed.",
	}
	duration := cmd.Flags().Duration("duration", demo.DefaultDuration, "how long the writers write")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *duration <= 0 {
			return usage("--duration is %s: write a duration such as 20s", *duration)
		}
		return demo.Run(cmd.Context(), demo.Options{Duration: *duration, Out: sys.Stdout})
	}
	return cmd
}
