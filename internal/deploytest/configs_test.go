package deploytest_test

import (
	"go/ast"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

// The page has every key there is, with its default.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	full := blocks(read(t, "configuration.md"), "yaml")[0]
	for _, key := range keys(t) {
		if !regexp.MustCompile(`(?m)[\s{-]` + key + `:`).MatchString("\n" + full) {
			t.Errorf("deploy/configuration.md does not show the key %s", key)
		}
	}
	least := "streams:\n  - name: events\n    tables:\n" +
		"      - {name: public.events, id_column: id, instance_column: instance_name}\n      - {name: public.more_events, id_column: id}\n"
	if diff := cmp.Diff(configured(t, "least", least), configured(t, "page", full), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what the page shows are not the defaults (-default +page):\n%s", diff)
	}
}

// keys are the keys of the configuration, from the code that reads them.
func keys(t *testing.T) (found []string) {
	t.Helper()
	for _, file := range parsed(t, "internal/config") {
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			if kind, ok := lit.Type.(*ast.Ident); ok && kind.Name == "fields" {
				for _, e := range lit.Elts {
					if entry, ok := e.(*ast.KeyValueExpr); ok {
						found = append(found, texts([]ast.Expr{entry.Key})...)
					}
				}
			}
			return true
		})
	}
	if len(found) < 35 {
		t.Errorf("only %d keys found: %v", len(found), found)
	}
	return found
}
