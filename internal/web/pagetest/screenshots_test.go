package pagetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

const images = "../../../.github/images"

// shop is a little database for pictures.
func shop() []string { return []string{"orders", "events", "audit_log"} }

// TestScreenshots makes the pictures of the README after it has watched for a
// while. The chart shows five minutes.
func TestScreenshots(t *testing.T) {
	watched, err := time.ParseDuration(os.Getenv("TIDEMARK_SCREENSHOTS"))
	if err != nil {
		t.Skip("TIDEMARK_SCREENSHOTS=5m makes the pictures of the README anew")
	}
	c := use(t)
	if err := c.daemon.stop(); err != nil { // its slot is not for the picture
		t.Fatal(err)
	}
	pgtest.Exec(t, pgtest.Connect(t, c.cluster), "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE NOT active", "CREATE DATABASE shop")
	url := c.cluster.URL("", "shop")
	sql := pgtest.ConnectURL(t, url)
	for _, table := range shop() {
		pgtest.Exec(t, sql, create(table), fmt.Sprintf("SELECT setval('%s_id_seq', %d)", table, 1_000_000+rand.IntN(90_000_000)))
	}
	text := config(url, shop(), "{name: tidemark}", local)
	if err := command("setup", text); err != nil {
		t.Fatal(err)
	}
	d, err := startDaemon(text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.stop()
		if err := c.startDaemon(); err != nil {
			t.Error(err)
		}
	})
	trade(t, url)
	b := (&site{t: t, daemon: d}).open()
	b.do(chromedp.Click("#streams > tbody:nth-of-type(1) .name", chromedp.ByQuery))
	time.Sleep(watched * 7 / 8) // the time is the point
	slow := (&site{t: t}).holdAt(url, "orders", "nightly-report")
	time.Sleep(watched / 8)
	for _, scheme := range []string{"light", "dark"} {
		b.shoot(fmt.Sprintf("page-%s.png", scheme), 1120, 0, scheme)
		b.shoot(fmt.Sprintf("page-phone-%s.png", scheme), 360, 1100, scheme)
	}
	if err := slow.Rollback(t.Context()); err != nil {
		t.Error(err)
	}
}

// trade has writers at work until the test ends: quick ones, some that think
// for a while, and some that change their mind.
func trade(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	for i, name := range []string{"checkout-1", "checkout-2", "billing", "warehouse", "imports"} {
		writers.Go(func() {
			for ctx.Err() == nil {
				_ = write(ctx, url, name, shop()[i%len(shop())])
			}
		})
	}
	t.Cleanup(func() { cancel(); writers.Wait() })
}

// write writes until something fails.
func write(ctx context.Context, url, name, table string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	for {
		tx, err := conn.Begin(ctx)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "INSERT INTO "+table+" (instance_name) VALUES ($1)", name); err != nil {
			return err
		}
		think := time.Duration(rand.ExpFloat64() * float64(30*time.Millisecond))
		if rand.IntN(300) == 0 {
			think = time.Duration(rand.IntN(4000)) * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(think):
		}
		end := tx.Commit
		if rand.IntN(10) == 0 {
			end = tx.Rollback
		}
		if err := end(ctx); err != nil {
			return err
		}
	}
}

// shoot takes a picture of the page; a height of 0 takes all of it.
func (b *tab) shoot(name string, width, height int64, scheme string) {
	b.t.Helper()
	b.look(width, scheme)
	if height == 0 {
		height = eval[int64](b, "document.documentElement.scrollHeight")
	}
	var picture []byte
	b.do(emulation.SetDeviceMetricsOverride(width, height, 1, false), chromedp.ActionFunc(func(ctx context.Context) (err error) {
		picture, err = page.CaptureScreenshot().WithFormat(page.CaptureScreenshotFormatPng).WithOptimizeForSpeed(false).Do(ctx)
		return err
	}))
	if len(picture) > 150<<10 {
		b.t.Errorf("%s has %d bytes, too many for a README", name, len(picture))
	}
	if err := os.WriteFile(filepath.Join(images, name), picture, 0o644); err != nil {
		b.t.Error(err)
	}
	b.t.Logf("%s: %d bytes", name, len(picture))
}
