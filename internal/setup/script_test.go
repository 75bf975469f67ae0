package setup_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// publication.sql is held to what setup prints, statement by statement, and to
// what psql makes of it.
func TestPublicationSQL(t *testing.T) {
	script, err := os.ReadFile("../../publication.sql")
	if err != nil {
		t.Fatal(err)
	}
	announcedConfig := strings.Replace(readme, "    tables", "    allocation: announced\n    tables", 1)
	b := start(t)
	for _, c := range []struct {
		name, config string
		set          map[string]string
	}{
		{"tidemark", readme, nil},
		{"mine", readme + "publication: mine\n", map[string]string{"slot": "mine", "publication": "mine"}},
		{"told", announcedConfig, map[string]string{"slot": "told", "positions_table": "stream_positions"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, byHand := b.database(t, c.name, eventsTable), b.database(t, "hand_"+c.name, eventsTable)
			cfg := b.configure(t, c.name, c.config)
			want := statements(printed(t, plan(t, conn, cfg)))
			got := statements(substitute(t, string(script), c.set))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("setup --print (-) and publication.sql (+) differ:\n%s", diff)
			}
			apply(t, conn, cfg)
			args := []string{"-v", "slot=hand_" + c.name}
			for name, value := range c.set {
				if name != "slot" {
					args = append(args, "-v", name+"="+value)
				}
			}
			b.psql(t, "hand_"+c.name, string(script), args...)
			if diff := cmp.Diff(catalog(t, conn), catalog(t, byHand)); diff != "" {
				t.Errorf("setup (-) and psql (+) made something else:\n%s", diff)
			}
		})
	}
}

// statements parts a script, which has no semicolon but at their ends, and
// leaves out comments and the layout.
func statements(script string) (all []string) {
	script = regexp.MustCompile(`(?m)^\s*--.*$`).ReplaceAllString(script, "")
	for s := range strings.SplitSeq(script, ";") {
		if s = strings.Join(strings.Fields(s), " "); s != "" {
			all = append(all, s)
		}
	}
	return all
}

// substitute does psql's part: \set, \if :{?name}, \else and \endif, and
// variables as identifiers and literals.
func substitute(t *testing.T, script string, given map[string]string) string {
	t.Helper()
	values := map[string]string{}
	for name, value := range given {
		values[name] = value
	}
	var out []string
	var active []bool
	skipping := func() bool {
		for _, a := range active {
			if !a {
				return true
			}
		}
		return false
	}
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || !strings.HasPrefix(words[0], `\`):
			if !skipping() {
				out = append(out, line)
			}
		case words[0] == `\if`:
			_, known := values[strings.Trim(words[1], ":{?}")]
			active = append(active, known)
		case words[0] == `\else`:
			active[len(active)-1] = !active[len(active)-1]
		case words[0] == `\endif`:
			active = active[:len(active)-1]
		case words[0] == `\set` && !skipping():
			value := ""
			for _, w := range words[2:] {
				if name, is := strings.CutPrefix(w, ":"); is {
					w = values[name]
				}
				value += w
			}
			values[words[1]] = value
		}
	}
	if len(active) != 0 {
		t.Fatal("unbalanced \\if")
	}
	return regexp.MustCompile(`:["'][a-z_]+["']`).ReplaceAllStringFunc(strings.Join(out, ""), func(v string) string {
		value, ok := values[v[2:len(v)-1]]
		if !ok {
			t.Errorf("variable %s is not set", v)
		}
		return v[1:2] + value + v[1:2]
	})
}
