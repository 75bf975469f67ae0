package pagetest

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// faint lists the texts whose contrast with what lies behind them is below 4.5.
const faint = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgba = c => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
	const light = c => { const [r, g, b] = [...c].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const behind = e => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
	const found = [];
	for (const e of document.querySelectorAll("body, body *")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
		const [a, b] = [light(rgba(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
		const contrast = (a + 0.05) / (b + 0.05);
		if (contrast < 4.5) found.push(contrast.toFixed(2) + " " + e.textContent.slice(0, 40));
	}
	return found;
})()`

// wide lists what sticks out to the side.
const wide = `[...document.querySelectorAll("body *")].filter(e => !e.closest(".unseen, caption, thead") && e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 120))`

func TestLooks(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tx := s.hold("held", "a_name_that_is_as_long_as_an_application_name_of_postgres_can_be")
	defer func() { _ = tx.Rollback(t.Context()) }()
	b := s.open()
	b.unfold("hostile")
	b.itemSays("held", "a_name_that_is_as_long")
	background := map[string]bool{}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{320, 360, 700, 1280} {
			b.look(width, scheme)
			if over := eval[int](b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
				t.Errorf("%d px, %s: the page scrolls %d px to the side:\n%v", width, scheme, over, eval[[]string](b, wide))
			}
			if out := eval[[]string](b, wide); len(out) > 0 {
				t.Errorf("%d px, %s: cut off at the side: %q", width, scheme, out)
			}
		}
		if found := eval[[]string](b, faint); len(found) > 0 {
			t.Errorf("%s: too little contrast: %q", scheme, found)
		}
		background[eval[string](b, "getComputedStyle(document.body).backgroundColor")] = true
	}
	if len(background) != 2 {
		t.Errorf("dark and light have the same background: %v", background)
	}
}

// focused tells where the focus is.
const focused = "(document.activeElement.innerText || document.activeElement.id)"

func TestKeyboard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.open()
	var order []string
	for range len(tables()) + 3 {
		b.do(chromedp.KeyEvent(kb.Tab))
		order = append(order, eval[string](b, focused))
		if !eval[bool](b, "document.activeElement.matches(':focus-visible') && getComputedStyle(document.activeElement).outlineStyle !== 'none'") {
			t.Errorf("the focus on %q cannot be seen", order[len(order)-1])
		}
	}
	if order[0] != "moves" || order[1] != "held" || order[len(tables())] != "streams" {
		t.Errorf("tab order %q", order)
	}
	b.do(chromedp.Focus(row("keyboard")+" .name", chromedp.ByQuery))
	for i, key := range []string{kb.Enter, kb.Enter, " "} {
		b.do(chromedp.KeyEvent(key))
		open := i != 1
		if got := eval[string](b, fmt.Sprintf("document.querySelector('%s .name').ariaExpanded", row("keyboard"))); got != fmt.Sprint(open) {
			t.Errorf("after key %d: aria-expanded is %s", i, got)
		}
		if seen := eval[bool](b, fmt.Sprintf("document.querySelector('%s .detail').checkVisibility()", row("keyboard"))); seen != open {
			t.Errorf("after key %d: details seen: %v", i, seen)
		}
	}
}

// A thousand writers are twenty, and the rest for who asks.
func TestManyWriters(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, err := s.sql.Exec(t.Context(), "INSERT INTO writers (instance_name) SELECT 'writer ' || i FROM generate_series(1, 1000) i"); err != nil {
		t.Fatal(err)
	}
	b := s.open()
	b.says(row("writers")+position, "1000")
	b.unfold("writers")
	shown := "document.querySelectorAll('" + row("writers") + " .writers tbody tr').length"
	b.says(row("writers")+" .writers", "1,000 writers of writers")
	b.says(row("writers")+" .writers tbody tr:nth-child(20)", "writer 981")
	if n := eval[int](b, shown); n != 20 {
		t.Errorf("%d are shown", n)
	}
	b.do(chromedp.Focus(row("writers")+" .more", chromedp.ByQuery))
	b.says(row("writers")+" .more", "Show 980 more")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.await("all are shown", shown+" === 1000")
	b.do(chromedp.KeyEvent(kb.Enter))
	b.await("few are shown", shown+" === 20")
}
