package cli

import (
	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/internal/config"
)

// configured is the flag of every command that reads the configuration.
type configured struct {
	sys  System
	path string
}

func configFlag(cmd *cobra.Command, sys System) *configured {
	c := &configured{sys: sys}
	cmd.Flags().StringVarP(&c.path, "config", "c", "", "configuration `FILE` (YAML)")
	return c
}

// load reads the configuration. Its errors are about the configuration.
func (c *configured) load() (*config.Config, error) {
	if c.path == "" {
		return nil, usage("no configuration is named: name one with -c FILE")
	}
	cfg, err := config.Load(c.path, c.sys.Getenv)
	if err != nil {
		return nil, usage("%w", err)
	}
	return cfg, nil
}
