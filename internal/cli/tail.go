package cli

import (
	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/tailing"
)

func tailCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "tail STREAM -c FILE", Short: "print the rows of a stream as JSON lines, in order, none missed", Args: exactly("STREAM"),
		Long: "tail prints every row once, in the order of the ids, as soon as all rows before\n" +
			"it are there. It follows the stream by itself, through a temporary slot: no\n" +
			"daemon is needed.",
	}
	cfgFlag := configFlag(cmd, sys)
	o := tailing.Options{}
	after := cmd.Flags().Int64("after", 0, "begin beyond this `ID` (descending streams: below it)")
	cmd.Flags().Int64Var(&o.Limit, "limit", 0, "end after so many rows, with the last id complete; 0 is no limit")
	cmd.Flags().BoolVar(&o.Follow, "follow", true, "wait for more rows; without, end at the position found at the start")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := cfgFlag.load()
		if err != nil {
			return err
		}
		o.Stream = args[0]
		if cmd.Flags().Changed("after") {
			o.After = after
		}
		return tailing.Run(cmd.Context(), cfg, o, sys.Stdout, sys.Stderr)
	}
	return cmd
}
