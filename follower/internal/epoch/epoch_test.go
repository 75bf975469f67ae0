package epoch

import (
	"testing"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestTheHistoryNamesWhereATimelineBegan(t *testing.T) {
	for content, want := range map[string]string{
		"1\t0/3000110\tno recovery target specified\n":                            "0/3000110",
		"# comment\n\n1\t0/3000110\tbefore 2000\n2\tA/B0\tno recovery target\n\n": "A/B0",
	} {
		got, err := lastSwitch([]byte(content))
		if err != nil || got.String() != want {
			t.Errorf("%q: %s, %v; want %s", content, got, err, want)
		}
	}
	for _, content := range []string{"", "# only\n", "1\n", "x\t0/1\n", "1\tnowhere\treason\n"} {
		if got, err := lastSwitch([]byte(content)); err == nil {
			t.Errorf("%q: %s, want an error", content, got)
		}
	}
}

// RULES 11: epochs of one system are ordered by timeline, then by where it began.
func TestEpochsOfOneSystemAreOrdered(t *testing.T) {
	ascending := []Epoch{
		{System: "7", Timeline: 1},
		{System: "7", Timeline: 2, Switch: 100},
		{System: "7", Timeline: 2, Switch: 200},
		{System: "7", Timeline: 3, Switch: 50},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := a.Compare(b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s compared with %s: %d", a, b, got)
			}
			if (a.String() == b.String()) != (i == j) {
				t.Errorf("%s and %s", a, b)
			}
		}
	}
	if other := (Epoch{System: "8", Timeline: 9}); other.Compare(ascending[0]) != 0 {
		t.Error("histories of different systems are not ordered")
	}
}

func TestAPromotionIsAnotherEpoch(t *testing.T) {
	primary := pgtest.Start(t)
	standby := pgtest.Standby(t, primary, "standby")
	pgtest.AwaitReplay(t, primary, standby)
	before := read(t, primary.URL("", ""))
	if before.Timeline != 1 || before.Switch != 0 {
		t.Errorf("first timeline: %+v", before)
	}
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := standby.Promote(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := read(t, standby.URL("", ""))
	if after.System != before.System || after.Timeline != 2 || after.Switch == 0 || after.Compare(before) <= 0 {
		t.Errorf("%+v became %+v", before, after)
	}
}

func read(t *testing.T, url string) Epoch {
	t.Helper()
	dialer, err := server.NewDialer(url, "test")
	if err != nil {
		t.Fatal(err)
	}
	conn, id, err := dialer.SQL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	repl, err := dialer.Replication(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = repl.Close(t.Context()) }()
	identified, err := pglogrepl.IdentifySystem(t.Context(), repl)
	if err != nil || identified.SystemID != id.System || identified.Timeline != id.Timeline {
		t.Fatalf("IDENTIFY_SYSTEM says %+v, %v; SQL says %+v", identified, err, id)
	}
	e, err := Read(t.Context(), repl, id.System, id.Timeline)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
