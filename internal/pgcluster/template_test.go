package pgcluster_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/pgcluster"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// Clusters begin as copies of one template, which the first of them leaves in the
// cache, and each is a system of its own all the same.
func TestClustersAreCopiesOfATemplate(t *testing.T) {
	cache := t.TempDir()
	t.Setenv(pgcluster.EnvCache, cache)
	systems := make(map[string]bool)
	for range 3 {
		c := pgtest.Start(t)
		var system string
		if err := pgtest.Connect(t, c).QueryRow(t.Context(), "SELECT system_identifier::text FROM pg_control_system()").Scan(&system); err != nil {
			t.Fatal(err)
		}
		systems[system] = true
		if err := c.Kill(); err != nil { // the WAL is read again
			t.Fatal(err)
		}
		if err := c.StartAgain(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(systems) != 3 {
		t.Errorf("3 clusters share systems: %v", systems)
	}
	templates, err := os.ReadDir(filepath.Join(cache, "templates"))
	if err != nil || len(templates) != 1 {
		t.Errorf("templates: %v, %v; want one", templates, err)
	}
}
