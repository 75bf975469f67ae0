package deploytest_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/config"
)

// configured reads a configuration as the program does, with the URL from the
// environment.
func configured(t *testing.T, name, text string) *config.Config {
	t.Helper()
	c, err := config.Load(write(t, "tidemark.yaml", text), func(string) string { return "postgres://tidemark@127.0.0.1/app" })
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return c
}

// The configurations are valid, follow the README's table, and those that
// others can reach want a token.
func TestConfigurations(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"systemd": read(t, "systemd/tidemark.yaml"), "docker": read(t, "docker/tidemark.yaml"),
		"permanent": manifestsOf(t, "permanent").Config.Data["tidemark.yaml"],
		"temporary": manifestsOf(t, "temporary").Config.Data["tidemark.yaml"],
	}
	for name, text := range texts {
		c := configured(t, name, text)
		if got := c.Follower.Streams[0].Tables[0]; got.Name != "public.events" || got.InstanceColumn != "instance_name" {
			t.Errorf("%s: table %+v", name, got)
		}
		if temporary := c.Follower.Slot.Kind == follower.SlotTemporary; temporary != (name == "temporary") {
			t.Errorf("%s: temporary slot %t", name, temporary)
		}
	}
}
