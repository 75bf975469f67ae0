package main

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestSetupCheckTeardown(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, server, events)
	sql := run(t, "setup", "--print", "-c", d.file).succeeds().stdout.String()
	if !strings.Contains(sql, "CREATE PUBLICATION") || !strings.Contains(sql, "pg_create_logical_replication_slot") {
		t.Errorf("setup --print:\n%s", sql)
	}
	run(t, "check", "-c", d.file).fails(1, "publication tidemark") // printing made nothing
	run(t, "setup", "-c", d.file).succeeds()
	if again := run(t, "setup", "-c", d.file).succeeds().stdout.String(); again != "nothing to do\n" {
		t.Errorf("setup again: %s", again)
	}
	checked := run(t, "check", "-c", d.file).succeeds().stdout.String()
	if !strings.Contains(checked, "✓ publication tidemark") || strings.Contains(checked, "✗") {
		t.Errorf("check:\n%s", checked)
	}
	run(t, "teardown", "--print", "-c", d.file).succeeds()
	run(t, "teardown", "-c", d.file).succeeds()
	d.insert() // the stream table stays
	var left int
	err := d.sql.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM pg_publication) + (SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1)", d.name).Scan(&left)
	if err != nil || left != 0 {
		t.Errorf("%d things left, %v", left, err)
	}
}

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	var report struct {
		OK     bool
		Checks []struct {
			Name, Detail, Fix *string
			OK                *bool
		}
	}
	decode := func(text string) {
		t.Helper()
		if err := json.Unmarshal([]byte(text), &report); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
	}
	decode(run(t, "check", "--json", "-c", d.file).succeeds().stdout.String())
	if !report.OK || len(report.Checks) < 10 {
		t.Errorf("report %+v", report)
	}
	for _, c := range report.Checks {
		if c.Name == nil || c.OK == nil || c.Detail == nil || c.Fix == nil || !*c.OK {
			t.Errorf("check %+v", c)
		}
	}
	d.exec("ALTER SEQUENCE events_id_seq CACHE 20")
	p := run(t, "check", "--json", "-c", d.file)
	p.fails(1, "events_id_seq", "CACHE 1")
	decode(p.stdout.String())
	if report.OK {
		t.Error("ok with a CACHE of 20")
	}
}

func TestAnnouncedStream(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, server, events)
	d.configure(strings.Replace(stream, "name: events,", "name: events, allocation: announced,", 1))
	run(t, "check", "-c", d.file).fails(1, "publication tidemark")
	run(t, "setup", "-c", d.file).succeeds()
	run(t, "check", "-c", d.file).succeeds()
	d.exec("INSERT INTO stream_positions VALUES ('events', 'a', 0)")
	p := startDaemon(t, d.file)
	p.awaitReady()
	id := d.insert()
	d.exec("UPDATE stream_positions SET stream_id = 1")
	p.reaches(id)
}

func TestTail(t *testing.T) {
	t.Parallel()
	d := ready(t, server)
	for range 3 {
		d.insert()
	}
	rows := run(t, "tail", "events", "-c", d.file, "--after", "1", "--follow=false").succeeds().stdout.String()
	if strings.Count(rows, "\n") != 2 || !strings.HasPrefix(rows, `{"id":2,"instance":"a","table":"public.events","row":{`) {
		t.Errorf("rows:\n%s", rows)
	}
	p := start(t, "tail", "events", "-c", d.file)
	d.insert()
	p.stdout.await(t, "the row written last", func(line string) bool { return strings.HasPrefix(line, `{"id":4,`) })
	p.signal(syscall.SIGTERM)
	if code := p.exits(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	out := run(t, "demo", "--duration", "2s").succeeds().stdout.String()
	if !strings.Contains(out, ", rows missed 0") {
		t.Errorf("no verdict:\n%s", out)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	if out := run(t, "version").succeeds().stdout.String(); !strings.HasPrefix(out, "tidemark ") || strings.Count(out, "\n") != 1 {
		t.Errorf("version: %q", out)
	}
}

// An interrupted set-up is not done, and leaves no slot behind.
func TestSetupInterrupted(t *testing.T) {
	t.Parallel()
	d := newDatabase(t, server, events)
	tx, err := pgtest.ConnectURL(t, server.URL("", d.name)).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "CREATE TABLE open (x int)"); err != nil {
		t.Fatal(err)
	}
	p := start(t, "setup", "-c", d.file)
	p.stdout.await(t, "whom it waits for", func(line string) bool { return strings.Contains(line, "waits for pid") })
	p.signal(syscall.SIGTERM)
	p.fails(1, "interrupted")
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	var slots int
	if err := d.sql.QueryRow(t.Context(), "SELECT count(*) FROM pg_replication_slots WHERE slot_name = $1", d.name).Scan(&slots); err != nil || slots != 0 {
		t.Errorf("%d slots, %v", slots, err)
	}
}
