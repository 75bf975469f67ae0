package deploytest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// anchors are the headings of a page as links name them.
func anchors(page string) map[string]bool {
	found := map[string]bool{}
	inCode := false
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "```") {
			inCode = !inCode
		}
		if title := strings.TrimLeft(line, "#"); !inCode && title != line && strings.HasPrefix(title, " ") {
			title = regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			found[strings.ReplaceAll(title, " ", "-")] = true
		}
	}
	return found
}

// anchored wants a link, given from the top of the tree, to lead to a heading
// or a file.
func anchored(t *testing.T, who, link string) {
	t.Helper()
	file, anchor, _ := strings.Cut(link, "#")
	text, err := os.ReadFile(filepath.Join("../..", file))
	if err != nil {
		if info, statErr := os.Stat(filepath.Join("../..", file)); statErr == nil && info.IsDir() {
			return
		}
		t.Errorf("%s: link to %s: %v", who, link, err)
		return
	}
	if anchor != "" && !anchors(string(text))[anchor] {
		t.Errorf("%s: %s has no heading #%s", who, file, anchor)
	}
}

// pages are all the pages there are, by their path from the top of the tree.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{"README.md": read(t, "../README.md"), "CONTRIBUTING.md": read(t, "../CONTRIBUTING.md")}
	err := filepath.WalkDir(deploy, func(path string, _ os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			name := strings.TrimPrefix(filepath.ToSlash(path), "../../")
			found[name] = read(t, strings.TrimPrefix(name, "deploy/"))
		}
		return err
	})
	if err != nil || len(found) < 10 {
		t.Fatalf("%d pages: %v", len(found), err)
	}
	return found
}

// Links lead somewhere, and every file of deploy/ is linked from its folder's
// page or the index.
func TestLinks(t *testing.T) {
	t.Parallel()
	for name, page := range pages(t) {
		for _, m := range regexp.MustCompile(`(?:\]\(|src(?:set)?=")([^)"\s]+)[)"]`).FindAllStringSubmatch(page, -1) {
			link := m[1]
			if strings.Contains(link, "://") {
				continue
			}
			if strings.HasPrefix(link, "#") {
				link = filepath.Base(name) + link
			}
			anchored(t, name, filepath.ToSlash(filepath.Join(filepath.Dir(name), link)))
		}
	}
}

// Commands and flags of the program that a page writes down are there.
func TestCommandsOnPages(t *testing.T) {
	t.Parallel()
	helps := map[string]string{}
	for name, page := range pages(t) {
		for _, m := range regexp.MustCompile("(?m)(?:`|\\$ |# .*|bin/)tidemark ([a-z]+)((?: [^`|\\n]*)?)").FindAllStringSubmatch(page, -1) {
			command := m[1]
			if helps[command] == "" {
				helps[command] = succeeds(t, "help", command)
			}
			if !strings.Contains(helps[command], "tidemark "+command) {
				t.Errorf("%s: %q is no command", name, m[0])
			}
			for _, flag := range regexp.MustCompile(`(?:^|\s)(--?[a-z-]+)`).FindAllStringSubmatch(strings.SplitN(m[2], "#", 2)[0], -1) {
				if !strings.Contains(helps[command], flag[1]) {
					t.Errorf("%s: tidemark %s has no flag %s", name, command, flag[1])
				}
			}
		}
	}
	if len(helps) < 6 {
		t.Errorf("the pages name %d commands", len(helps))
	}
}

// Make targets that a page names are there.
func TestTargetsOnPages(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for name, page := range pages(t) {
		for _, m := range regexp.MustCompile("(?:`|\\$ )make ([a-z-]+)").FindAllStringSubmatch(page, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: no target %s", name, m[1])
			}
		}
	}
}

// The alerts that the page lists are those that there are.
func TestAlertsOnPage(t *testing.T) {
	t.Parallel()
	page := read(t, "prometheus/README.md")
	alerts := all(t, "prometheus/alerts.yaml")
	for _, r := range alerts {
		if !strings.Contains(page, "| `"+r.Alert+"` | "+r.Labels["severity"]+" |") {
			t.Errorf("%s is not on the page with its severity", r.Alert)
		}
	}
	if n := strings.Count(page, "| `Tidemark"); n != len(alerts) {
		t.Errorf("%d alerts on the page, %d in the file", n, len(alerts))
	}
}
