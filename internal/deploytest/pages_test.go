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
