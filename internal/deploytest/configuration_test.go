package deploytest_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark-pg/tidemark/internal/config"
)

// least is what cannot be left out of the page's configuration.
const least = `
database: {url: "postgres://tidemark@127.0.0.1:5432/app"}
streams:
  - name: events
    tables: [{name: public.events, id_column: id, instance_column: instance_name}, {name: public.other, id_column: id}]
`

// The page's configuration is that of the defaults, so each of them is as the
// page says.
func TestDefaultsOnPage(t *testing.T) {
	t.Parallel()
	said := parsedConfig(t, keysOnPage(t))
	if diff := cmp.Diff(parsedConfig(t, least), said); diff != "" {
		t.Errorf("the page says others (+) than the defaults (-): %s", diff)
	}
}

func keysOnPage(t *testing.T) string {
	t.Helper()
	return between(t, read(t, "configuration.md"), "```yaml\n", "```")
}

func parsedConfig(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse("page", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	c.Follower.PublishedFunc = nil // cannot be compared
	return c
}

// Every key that there is stands on the page. Which there are is told to who
// writes one that there is not.
func TestEveryKeyIsOnPage(t *testing.T) {
	t.Parallel()
	page := keysOnPage(t)
	n := 0
	for _, section := range []string{
		"%", "database: {%}", "slot: {%}", "published: {%}", "http: {%}", "http: {tls: {%}}", "log: {%}", "streams: [{%}]", "streams: [{tables: [{%}]}]",
	} {
		_, err := config.Parse("page", []byte(strings.Replace(section, "%", "xxxxxxxx: 1", 1)))
		if err == nil {
			t.Fatalf("%s: the unknown key is accepted", section)
		}
		_, keys, told := strings.Cut(err.Error(), "write one of ")
		if !told {
			t.Fatalf("%s: %v, which tells no keys", section, err)
		}
		for key := range strings.SplitSeq(keys, ", ") {
			n++
			if !regexp.MustCompile(`(?m)(^|[ {])` + key + `:`).MatchString(page) {
				t.Errorf("%s: the page does not have %s", section, key)
			}
		}
	}
	if n < 35 {
		t.Errorf("only %d keys were told", n)
	}
}
