package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/config"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// call runs a command with this environment.
func call(t *testing.T, env map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(t.Context(), args, System{Stdout: &out, Stderr: &errs, Getenv: func(name string) string { return env[name] }})
	return code, out.String(), errs.String()
}

func TestSlotsOfAServer(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		c := pgtest.Start(t, version)
		sql := pgtest.Connect(t, c)
		if code, out, _ := call(t, nil, "slots", "--database", c.URL("", "")); code != 0 || out != "the server has no logical slots\n" {
			t.Errorf("without slots: %d %q", code, out)
		}
		pgtest.Exec(t, sql, "SELECT pg_create_logical_replication_slot('s', 'test_decoding')",
			"CREATE ROLE plain LOGIN", "CREATE TABLE t (n int)")
		open := pgtest.ConnectURL(t, c.URL("", "")+"&application_name=hanging")
		pgtest.Exec(t, open, "BEGIN; INSERT INTO t VALUES (1)")

		file := filepath.Join(t.TempDir(), "tidemark.yaml")
		text := "database: {url: '" + c.URL("", "") + "'}\nstreams: [{name: e, tables: [{name: t, id_column: n}]}]\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errs := call(t, nil, "slots", "-c", file)
		for _, want := range []string{"SLOT", "VERDICT", "s     postgres  no", "ok", "nobody connected", "held by pid", "hanging", "idle in transaction"} {
			if code != 0 || errs != "" || !strings.Contains(out, want) {
				t.Fatalf("%d %q %s, want %q in\n%s", code, errs, file, want, out)
			}
		}
		code, out, errs = call(t, map[string]string{config.DatabaseURLVariable: c.URL("plain", "")}, "slots", "--json")
		var answer struct{ Slots []slots.Slot }
		if err := json.Unmarshal([]byte(out), &answer); err != nil || code != 0 || len(answer.Slots) != 1 {
			t.Fatalf("%d %q %v\n%s", code, errs, err, out)
		}
		if s := answer.Slots[0]; s.WALBytesPerSecond == nil || s.Verdict != slots.VerdictOK || s.RestartLSN == nil || len(s.HeldBy) != 2 || s.HeldBy[1].Since != nil {
			t.Errorf("slot as a plain role sees it: %+v", s)
		}
	})
}

func TestSlotsRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code  int
		args  []string
		words []string
	}{
		{2, []string{"slots"}, []string{"-c FILE", "--database URL"}},
		{2, []string{"slots", "-c", "f", "--database", "postgres://h/d"}, []string{"leave out"}},
		{2, []string{"slots", "-c", "/nowhere/f.yaml"}, []string{"/nowhere/f.yaml"}},
		{1, []string{"slots", "--database", "postgres://u:hunter2@127.0.0.1:1/d"}, []string{"127.0.0.1:1", "refused"}},
		{2, []string{"slots", "--database", "postgres://u:hunter2@h:x/d"}, []string{"connection string"}},
		{2, []string{"slots", "--database", "postgres://u:a@hunter2@127.0.0.1:1/d"}, []string{"--database holds an @ after its host", "percent-encoded"}},
		{2, []string{"slots", "--database", "host=h password=a hunter2"}, []string{"--database is not a connection string", "postgres://user@host"}},
		{2, []string{"slots", "s"}, []string{"slots"}},
		{2, []string{"slots", "--database", "postgres://h/d", "--for", "0s"}, []string{"--for is 0s", "65s"}},
	} {
		code, out, errs := call(t, nil, c.args...)
		if code != c.code || out != "" || strings.Count(errs, "\n") != 1 || strings.Contains(errs, "hunter2") {
			t.Errorf("%v: %d %q %q", c.args, code, out, errs)
		}
		for _, word := range c.words {
			if !strings.Contains(errs, word) {
				t.Errorf("%v: no %q in %q", c.args, word, errs)
			}
		}
	}
}

func TestSlotTable(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	since := now.Add(-90 * time.Second)
	got := slotTable(slots.Report{Time: now, Slots: []slots.Slot{
		{
			Name: "tidemark", Database: "a\x1b[2Jpp", Active: true, ActivePID: new(int32(7)),
			RetainedBytes: new(int64(3 << 19)), ConfirmedLagBytes: new(int64(0)), SafeWALBytes: new(int64(1 << 30)),
			SecondsToInvalidation: new(int64(90)), Verdict: slots.VerdictOK, Reason: "all is\nwell",
			HeldBy: []follower.Holder{
				{State: new(slots.StateNoConsumer), Since: &since},
				{GID: new("g"), Since: &since},
			},
		},
		{Name: "x", Database: "app", Verdict: slots.VerdictLost, Reason: "lost", Failover: new(false), Synced: new(false)},
		{Name: "y", Database: "app", Verdict: slots.VerdictOK, Failover: new(true), Synced: new(false)},
		{Name: "z", Database: "app", Verdict: slots.VerdictOK, Failover: new(true), Synced: new(true)},
	}})
	want := `SLOT      DATABASE  ACTIVE  RETAINED  LAG  FAILOVER  VERDICT  REASON
x         app       no      -         -    no        lost     lost
tidemark  a [2Jpp   pid 7   1.5 MiB   0 B  -         ok       all is well
    held by prepared transaction "g", for 1m30s
    1 GiB more of WAL until the server may give it up: 1 min 30 s at the present rate, if it moves no more
y         app       no      -         -    yes       ok       
z         app       no      -         -    copy      ok       
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

// What is known only after a while is known where slots looks for so long.
func TestSlotsLooksForAsLongAsItIsTold(t *testing.T) {
	t.Parallel()
	c := pgtest.Start(t)
	pgtest.Exec(t, pgtest.Connect(t, c), "SELECT pg_create_logical_replication_slot('s', 'test_decoding')")
	began := time.Now()
	code, out, errs := call(t, nil, "slots", "--database", c.URL("", ""), "--for", "2500ms")
	if took := time.Since(began); code != 0 || took < 2500*time.Millisecond || !strings.Contains(out, "nobody connected for") {
		t.Errorf("%d %q after %s\n%s", code, errs, took, out)
	}
	if want := "tidemark: looking at the slots for "; !strings.HasPrefix(errs, want) || strings.Count(errs, "\n") != 1 {
		t.Errorf("it says %q while it looks, want one line that begins %q", errs, want)
	}
}
