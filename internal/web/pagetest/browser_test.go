package pagetest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for what should come soon.
const patience = 45 * time.Second

// findChromium returns the path of a browser; "" where there is none.
func findChromium() string {
	if name := os.Getenv("TIDEMARK_CHROMIUM"); name != "" {
		return name
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// startBrowser starts the browser that all tests share.
func (c *shared) startBrowser() error {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(findChromium()), chromedp.NoSandbox, chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.WSURLReadTimeout(patience))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	c.atEnd(stop)
	var cancel context.CancelFunc
	c.browser, cancel = chromedp.NewContext(allocator)
	c.atEnd(cancel)
	if err := chromedp.Run(c.browser); err != nil {
		return fmt.Errorf("start %s: %w", findChromium(), err)
	}
	return nil
}

// tab is a window of the browser. What the page complains of fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

// newTab opens a window that shares nothing with others.
func newTab(t *testing.T) *tab {
	t.Helper()
	browser := use(t).browser
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithTargetID(newWindow(t, browser)))
	t.Cleanup(cancel)
	b := &tab{t: t, ctx: ctx}
	chromedp.ListenTarget(ctx, b.listen)
	if err := chromedp.Run(ctx); err != nil { // without a time limit: the window would end with it
		t.Fatal(err)
	}
	b.do(log.Enable(), runtime.Enable())
	t.Cleanup(func() {
		for _, c := range b.complained() {
			t.Errorf("the page complains: %s", c)
		}
	})
	return b
}

// newWindow opens a window with a browser context of its own. (What chromedp has
// for it asks for a tab, for which there is no window to be in.)
func newWindow(t *testing.T, browser context.Context) target.ID {
	t.Helper()
	executor := cdp.WithExecutor(browser, chromedp.FromContext(browser).Browser)
	own, err := target.CreateBrowserContext().WithDisposeOnDetach(true).Do(executor)
	if err != nil {
		t.Fatal(err)
	}
	id, err := target.CreateTarget("about:blank").WithBrowserContextID(own).WithNewWindow(true).Do(executor)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// listen notes errors, warnings, dialogs, and what the policy did not allow.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.complaints = append(b.complaints, e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		b.complaints = append(b.complaints, fmt.Sprintf("console.%s %s", e.Type, e.Args[0].Value))
	case *log.EventEntryAdded:
		b.complaints = append(b.complaints, fmt.Sprintf("%s %s: %s %s", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *page.EventJavascriptDialogOpening:
		b.complaints = append(b.complaints, "dialog "+e.Message)
	}
}

// complained returns the complaints so far, and forgets them.
func (b *tab) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := b.complaints
	b.complaints = nil
	return all
}

// do runs actions.
func (b *tab) do(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		b.t.Fatalf("browser: %v", err)
	}
}

// open loads a page.
func (b *tab) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

// eval runs a piece of script and returns its value.
func eval[T any](b *tab, script string) (value T) {
	b.t.Helper()
	b.do(chromedp.Evaluate(script, &value))
	return value
}

// await waits until a piece of script is true. It asks anew each time, so that
// the page may be left in between.
func (b *tab) await(what, script string) {
	b.t.Helper()
	var is bool
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) { // a page tells nobody that it has changed
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		err = chromedp.Run(ctx, chromedp.Evaluate("Promise.resolve("+script+").then(Boolean)", &is,
			func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
		cancel()
		if err == nil && is {
			return
		}
	}
	b.t.Fatalf("not within %s: %s: %v\nthe page says:\n%s", patience, what, err, b.text("body"))
}

// text is what the first element of a selector says.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// says waits until the first element of a selector says all the words.
func (b *tab) says(selector string, words ...string) {
	b.t.Helper()
	for _, w := range words {
		b.await(fmt.Sprintf("%s says %q", selector, w),
			fmt.Sprintf("(document.querySelector(%q)?.textContent ?? '').includes(%q)", selector, w))
	}
}

// look sets the size of the window and the colours that are preferred.
func (b *tab) look(width int64, scheme string) {
	b.t.Helper()
	b.do(
		emulation.SetDeviceMetricsOverride(width, 900, 1, false),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}),
	)
}
