package daemon

import (
	"fmt"

	"github.com/tidemark-pg/tidemark/internal/config"
)

// available refuses keys that promise what this version does not do: a promise
// that is silently not kept loses rows, or fills a disk.
func available(cfg *config.Config) error {
	for _, k := range []struct {
		key  string
		used bool
	}{
		{"slot.guard", cfg.Guard > 0},
	} {
		if k.used {
			return fmt.Errorf("configure daemon: %s is not available in this version: leave it out", k.key)
		}
	}
	return nil
}
