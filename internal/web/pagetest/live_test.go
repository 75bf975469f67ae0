package pagetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const (
	position = " .position"
	held     = "#held"
	local    = "{listen: '127.0.0.1:0'}"
)

// open shows a site's page and waits until it is live.
func (s *site) open() *tab {
	s.t.Helper()
	b := newTab(s.t)
	b.open(s.url)
	b.says("#link", "Live")
	b.says("#streams", "following")
	return b
}

// unfold opens the details of a stream.
func (b *tab) unfold(table string) {
	b.t.Helper()
	b.do(chromedp.Click(row(table)+" .name", chromedp.ByQuery))
}

// item is a script for the item of a stream in the section of what is held.
func item(table string) string {
	return fmt.Sprintf("[...document.querySelectorAll('#held li')].find(i => i.firstChild.textContent === %q)", table)
}

func (b *tab) itemSays(table string, words ...string) {
	b.t.Helper()
	for _, w := range words {
		b.await(fmt.Sprintf("what is said of %s has %q", table, w), fmt.Sprintf("(%s?.textContent ?? '').includes(%q)", item(table), w))
	}
}

func TestStreamsAndMoves(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.open()
	b.says(row("moves")+" .name", "moves")
	b.says(row("moves")+position, "0")
	var delays []time.Duration
	for range 3 {
		id := s.insert("moves", "billing")
		committed := time.Now()
		b.says(row("moves")+position, fmt.Sprint(id))
		delays = append(delays, time.Since(committed).Round(time.Millisecond))
	}
	t.Logf("from commit to the page: %v", delays)
	b.unfold("moves")
	b.says(row("moves")+" .writers", "1 writer of moves", "billing", "3")
	b.says("#slots", "page", "pgoutput", "no limit")
	b.says("#summary", fmt.Sprintf("%d streams following", len(tables())))
}

// Moves are not asked for: with no answer to any question they still come.
func TestMovesComeAsEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.open()
	eval[bool](b, "window.fetch = () => new Promise(() => {}), true")
	b.says(row("asked")+position, "0")
	id := s.insert("asked", "billing")
	b.says(row("asked")+position, fmt.Sprint(id))
}

func TestHeldInWords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.open()
	tx := s.hold("held", "nightly <b>report</b>")
	id := s.insert("held", "billing")
	b.itemSays("held", "application “nightly <b>report</b>”", "open since", "idle in transaction",
		"Let it commit or roll back", fmt.Sprintf("pg_terminate_backend(%d)", tx.Conn().PgConn().PID()))
	b.says(row("held"), "held back")
	b.says("#summary", "held back")
	b.says("#spoken", "held back")
	if got := b.text(row("held") + position); got != fmt.Sprint(id-2) {
		t.Errorf("position %s while held, want %d", got, id-2)
	}
	committed := time.Now()
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.says(row("held")+position, fmt.Sprint(id))
	b.await("nobody holds it any more", "!"+item("held"))
	t.Logf("from commit to all clear: %s", time.Since(committed).Round(time.Millisecond))
}

func TestPreparedTransactionInWords(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.open()
	tx := s.hold("prepared", "two phases")
	if _, err := tx.Exec(t.Context(), "PREPARE TRANSACTION 'it''s late'"); err != nil {
		t.Fatal(err)
	}
	b.itemSays("prepared", "Prepared transaction 'it''s late'", "ROLLBACK PREPARED 'it''s late'")
	if _, err := s.sql.Exec(t.Context(), "ROLLBACK PREPARED 'it''s late'"); err != nil {
		t.Fatal(err)
	}
	b.await("it is gone", "!"+item("prepared"))
}

// Whatever a name holds is shown, and does nothing: newTab fails the test for a
// dialog or a complaint of the policy.
func TestHostileNamesAreText(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tx := s.hold("hostile", "<img src=x onerror=alert(1)></script>")
	id := s.insert("hostile", hostile)
	b := s.open()
	shown := strings.ReplaceAll(hostile, "\u202e", `\u{202e}`)
	b.says(row("hostile")+" .name", shown)
	b.itemSays(shown, "application “<img src=x onerror=alert(1)></script>”")
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	b.says(row("hostile")+position, fmt.Sprint(id))
	b.unfold("hostile")
	b.says(row("hostile")+" .writers", "2 writers of "+shown)
	b.says(row("hostile")+" .writers tbody", shown)
	if made := eval[int](b, "document.querySelectorAll('img, body script:not([type=module])').length"); made != 0 {
		t.Errorf("names made %d elements", made)
	}
}

func TestDaemonGoneAndBack(t *testing.T) {
	t.Parallel()
	s := ownSite(t, local)
	id := s.insert("gone", "billing")
	b := s.open()
	b.says(row("gone")+position, fmt.Sprint(id))
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	b.says("#link", "Reconnecting since")
	b.says("#lost", "No answer from the daemon since", "was true then")
	b.says("#spoken", "Reconnecting")
	if got := b.text(row("gone") + position); got != fmt.Sprint(id) {
		t.Errorf("what was known is %q", got)
	}
	id = s.insert("gone", "billing")
	s.start("{listen: '" + strings.TrimPrefix(s.url, "http://") + "'}")
	b.says("#link", "Live")
	b.says(row("gone")+position, fmt.Sprint(id))
	b.await("the note is gone", "document.querySelector('#lost').hidden")
	b.says("#spoken", "Live.")
	for _, c := range b.complained() {
		if !strings.Contains(c, "ERR_") { // that a request failed is so
			t.Errorf("the page complains: %s", c)
		}
	}
}

// A page that nobody sees asks for nothing and keeps no connection; when it is
// seen again it is live.
func TestHiddenPageIsQuiet(t *testing.T) {
	t.Parallel()
	s := ownSite(t, local)
	b := s.open()
	clients := func(n int) {
		t.Helper()
		b.await(fmt.Sprintf("%d clients", n),
			fmt.Sprintf("fetch('/metrics').then(r => r.text()).then(t => t.includes('tidemark_sse_clients %d\\n'))", n))
	}
	clients(1)
	see := func(hidden bool) {
		eval[bool](b, fmt.Sprintf(`Object.defineProperty(document, "hidden", {value: %v, configurable: true});
			document.dispatchEvent(new Event("visibilitychange"))`, hidden))
	}
	see(true)
	clients(0)
	id := s.insert("hidden", "billing")
	see(false)
	b.says("#link", "Live")
	b.says(row("hidden")+position, fmt.Sprint(id))
	clients(1)
}
