package cli

import (
	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/daemon"
	"github.com/tidemark-pg/tidemark/internal/logging"
)

func runCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "run -c FILE", Short: "follow the streams and serve their positions over HTTP", Args: exactly(),
		Long: "run is the daemon. It stays in the foreground, logs to the standard error and\n" +
			"ends in good order at SIGTERM or SIGINT, at once at a second one.\n\n" +
			"While the server cannot be reached it keeps trying; /readyz says why it is not\n" +
			"ready. Refused credentials and requirements that are not met end it.",
	}
	cfgFlag := configFlag(cmd, sys)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := cfgFlag.load()
		if err != nil {
			return err
		}
		return daemon.Run(cmd.Context(), cfg, version(), logging.New(sys.Stderr, cfg.Log))
	}
	return cmd
}
