package pagetest

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/chromedp"
)

// tree is what a screen reader gets: "role name" of everything that it names.
func (b *tab) tree() (nodes []string) {
	b.t.Helper()
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		all, err := accessibility.GetFullAXTree().Do(ctx)
		for _, n := range all {
			if role := plain(n.Role); !n.Ignored && role != "InlineTextBox" {
				nodes = append(nodes, role+" "+plain(n.Name))
			}
		}
		return err
	}))
	return nodes
}

// plain is a value without the quotes of JSON.
func plain(v *accessibility.Value) string {
	if v == nil {
		return ""
	}
	return strings.Trim(v.Value.String(), `"`)
}

func TestAccessibilityTree(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.open()
	b.says("#slots", "pgoutput")
	b.says("#spoken", "Live.")
	b.unfold("moves")
	for _, width := range []int64{1280, 360} { // cards stay tables
		b.look(width, "light")
		nodes := b.tree()
		all := "\n" + strings.Join(nodes, "\n") + "\n"
		for _, want := range []string{
			"banner ", "main ", "contentinfo ", "status ", "StaticText Live. ", "heading Tidemark", "heading Streams",
			"heading What holds a position back", "heading Replication slots", "region Streams", "region Replication slots",
			"table Streams, each with its position and a chart of its unsettled ids", "table Logical replication slots",
			"columnheader Position", "columnheader Unsettled, last 5 minutes", "columnheader Invalidated in", "rowheader moves",
			"button moves", "image Unsettled ids of cost in the last 5 minutes: 0 now, at most 0", "image Unsettled ids of moves in the last 5 minutes, larger: ", "cell following",
		} {
			if !strings.Contains(all, "\n"+want) {
				t.Errorf("%d px: no %q in the accessibility tree:%s", width, want, all)
			}
		}
		for _, n := range nodes {
			switch role, name, _ := strings.Cut(n, " "); role {
			case "table", "image", "button", "link", "heading", "region", "columnheader", "rowheader":
				if strings.TrimSpace(name) == "" {
					t.Errorf("%d px: a %s without a name", width, role)
				}
			}
		}
		if n := strings.Count(all, "\nheading Tidemark\n"); n != 1 {
			t.Errorf("%d headings of the page", n)
		}
	}
}
