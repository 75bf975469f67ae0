package fence

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// target reads a sequence's identity from the catalog.
func target(t *testing.T, conn *pgx.Conn, name string) (tg Target, database uint32) {
	t.Helper()
	tg.Name = name
	err := conn.QueryRow(t.Context(), `SELECT c.oid, pg_relation_filenode(c.oid), d.oid
		FROM pg_class c, pg_database d WHERE c.oid = $1::text::regclass AND d.datname = current_database()`, name).
		Scan(&tg.Sequence.OID, &tg.Sequence.Filenode, &database)
	if err != nil {
		t.Fatal(err)
	}
	return tg, database
}

func prober(t *testing.T, conn *pgx.Conn, names ...string) *Prober {
	t.Helper()
	var targets []Target
	var database uint32
	for _, name := range names {
		var tg Target
		tg, database = target(t, conn, name)
		targets = append(targets, tg)
	}
	return NewProber(conn, conn.PgConn().PID(), database, targets)
}

func probe(t *testing.T, p *Prober) []Result {
	t.Helper()
	results, err := p.Probe(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return results
}

// hammer draws from a sequence until the test ends.
func hammer(t *testing.T, url, sequence string) {
	ctx, cancel := context.WithCancel(context.Background())
	conns := []*pgx.Conn{pgtest.ConnectURL(t, url), pgtest.ConnectURL(t, url)}
	var drawing sync.WaitGroup
	t.Cleanup(func() { cancel(); drawing.Wait() })
	for _, conn := range conns {
		drawing.Go(func() {
			for ctx.Err() == nil {
				_, err := conn.Exec(context.WithoutCancel(ctx), "SELECT count(nextval($1::text::regclass)) FROM generate_series(1, 5000)", sequence)
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
}

// decreases reads the sequence again and again in the server until time is up
// or a value is lower than one before, which the sequence never was: that one
// had been drawn by nobody.
const decreases = `DO $$ DECLARE now bigint; before bigint := 0; reads bigint := 0; stop timestamptz := clock_timestamp() + interval '%s'; BEGIN
	WHILE clock_timestamp() < stop LOOP
		SELECT min(last_value) INTO now FROM (%s) s;
		reads := reads + 1;
		IF now < before THEN RAISE EXCEPTION 'read %% after %% (%% reads)', now, before, reads; END IF;
		before := now;
	END LOOP;
END $$`

// A plain read of a sequence can return a value that nextval holds in the
// buffer for a moment and that nobody has drawn. The lowest of several scans
// never does.
func TestAValueThatNobodyHasDrawnIsNotTaken(t *testing.T) {
	c := pgtest.Start(t)
	conn := pgtest.Connect(t, c)
	pgtest.Exec(t, conn, "CREATE SEQUENCE s")
	hammer(t, c.URL("", ""), "s")

	_, err := conn.Exec(t.Context(), fmt.Sprintf(decreases, "60 s", "SELECT last_value FROM s"))
	if err == nil {
		t.Error("a single scan never returned a value that nobody has drawn: this server may not need three")
	} else {
		t.Logf("a single scan: %v", err)
	}
	three := prober(t, conn, "s").lastValues([]int{0})
	if _, err := conn.Exec(t.Context(), fmt.Sprintf(decreases, "5 s", three)); err != nil {
		t.Errorf("the probe's scans: %v", err)
	}
}

func TestAProbeSeesWhoHoldsTheSequence(t *testing.T) {
	c := pgtest.Start(t)
	conn, other := pgtest.Connect(t, c), pgtest.Connect(t, c)
	pgtest.Exec(t, conn, "CREATE SEQUENCE s", "CREATE SEQUENCE untouched")
	p := prober(t, conn, "s", "untouched")
	if r := probe(t, p)[0]; r.Err != nil || r.Reading.Last != 0 || len(r.Reading.Holders) != 0 {
		t.Fatalf("a fresh sequence: %+v", r)
	}
	for _, steps := range [][]string{
		{"BEGIN", "SELECT nextval('s')"},
		{"BEGIN", "SELECT nextval('s')", "SAVEPOINT x", "SELECT nextval('s')", "ROLLBACK TO SAVEPOINT x"},
		{"BEGIN", "SAVEPOINT x", "SELECT nextval('s')", "ROLLBACK TO SAVEPOINT x"},
		{"BEGIN", "SELECT nextval('s')", "PREPARE TRANSACTION 'p'"},
	} {
		pgtest.Exec(t, other, steps...)
		results := probe(t, p)
		if r := results[0].Reading; len(r.Holders) != 1 || r.Holders[0].VXID.Ended() {
			t.Errorf("%v: holders %+v", steps, r.Holders)
		} else if prepared := r.Holders[0].PID == 0; prepared != (steps[len(steps)-1] == "PREPARE TRANSACTION 'p'") {
			t.Errorf("%v: pid %d", steps, r.Holders[0].PID)
		}
		if r := results[1].Reading; len(r.Holders) != 0 {
			t.Errorf("%v: holders of the other sequence: %+v", steps, r.Holders)
		}
		end := "ROLLBACK"
		if len(steps) == 3 && steps[2][0] == 'P' {
			end = "COMMIT PREPARED 'p'"
		}
		pgtest.Exec(t, other, end)
		if r := probe(t, p)[0].Reading; len(r.Holders) != 0 {
			t.Errorf("%v: holders after its end: %+v", steps, r.Holders)
		}
	}
}

// RULES 4: DROP and CREATE, and TRUNCATE … RESTART IDENTITY, which never shows
// a lower value to whoever looks too late.
func TestAReplacedSequenceIsNoticed(t *testing.T) {
	c := pgtest.Start(t)
	conn := pgtest.Connect(t, c)
	pgtest.Exec(t, conn, "CREATE TABLE e (id bigserial)", "INSERT INTO e DEFAULT VALUES", "CREATE SEQUENCE s", "SELECT nextval('s')")
	p := prober(t, conn, "e_id_seq", "s")
	probe(t, p)
	pgtest.Exec(t, conn, "TRUNCATE e RESTART IDENTITY", "INSERT INTO e DEFAULT VALUES", "INSERT INTO e DEFAULT VALUES")
	results := probe(t, p)
	if !errors.Is(results[0].Err, ErrReplaced) {
		t.Errorf("after RESTART IDENTITY: %+v", results[0])
	}
	if results[1].Err != nil {
		t.Errorf("the other sequence: %+v", results[1])
	}
	pgtest.Exec(t, conn, "DROP SEQUENCE s", "CREATE SEQUENCE s", "SELECT nextval('s')", "SELECT nextval('s')")
	if results = probe(t, p); !errors.Is(results[1].Err, ErrReplaced) {
		t.Errorf("after DROP and CREATE: %+v", results[1])
	}
}

// RULES 4: of one sequence is what agrees in both: a number may be given again.
func TestAReadingIsOfTheSequenceThatWasAskedFor(t *testing.T) {
	want := Sequence{OID: 5, Filenode: 6}
	for _, c := range []struct {
		scans    []Sequence
		replaced bool
	}{
		{[]Sequence{want, want, want}, false},
		{[]Sequence{{OID: 7, Filenode: 6}}, true},
		{[]Sequence{{OID: 5, Filenode: 7}}, true},
		{[]Sequence{want, want, {OID: 7, Filenode: 6}}, true},
		{[]Sequence{{OID: 7, Filenode: 6}, want}, true},
	} {
		r := Result{Err: errNoRow}
		for _, seq := range c.scans {
			r.add(want, seq, 10, 100, time.Time{})
		}
		if errors.Is(r.Err, ErrReplaced) != c.replaced {
			t.Errorf("%v: %v", c.scans, r.Err)
		}
	}
}

// RULES 6: a queued AccessExclusiveLock blocks that stream and no other.
func TestALockedSequenceBlocksNoOther(t *testing.T) {
	c := pgtest.Start(t)
	conn, other := pgtest.Connect(t, c), pgtest.Connect(t, c)
	pgtest.Exec(t, conn, "SET lock_timeout = '100ms'", "CREATE SEQUENCE s", "CREATE SEQUENCE free", "SELECT nextval('free')")
	p := prober(t, conn, "s", "free")
	pgtest.Exec(t, other, "BEGIN", "DROP SEQUENCE s")
	results := probe(t, p)
	if results[0].Err == nil {
		t.Error("the locked sequence was read")
	}
	if results[1].Err != nil || results[1].Reading.Last != 1 {
		t.Errorf("the free sequence: %+v", results[1])
	}
	// It costs the others nothing more until it is tried again.
	began := time.Now()
	results = probe(t, p)
	if took := time.Since(began); results[0].Err == nil || results[1].Err != nil || took > 90*time.Millisecond {
		t.Errorf("the next probe took %s: %+v", took, results)
	}
	pgtest.Exec(t, other, "ROLLBACK")
	later, err := p.Probe(t.Context(), time.Now().Add(2*retryApart))
	if err != nil || later[0].Err != nil {
		t.Errorf("after the lock was gone: %v, %+v", err, later[0])
	}
}

// RULES 3: through a pooler the next statement may reach another backend.
func TestAnotherBackendIsNoticed(t *testing.T) {
	c := pgtest.Start(t)
	conn := pgtest.Connect(t, c)
	pgtest.Exec(t, conn, "CREATE SEQUENCE s")
	tg, database := target(t, conn, "s")
	p := NewProber(conn, conn.PgConn().PID()+1, database, []Target{tg})
	if _, err := p.Probe(t.Context(), time.Now()); !errors.Is(err, ErrOtherBackend) {
		t.Fatalf("probe: %v", err)
	}
}

func TestParseVXIDRefusesJunk(t *testing.T) {
	for _, s := range []string{"", "/", "1", "1/", "/2", "a/1", "1/b", "1/-1", "1/99999999999"} {
		if v, err := ParseVXID(s); err == nil {
			t.Errorf("ParseVXID(%q) = %v, want an error", s, v)
		}
	}
	// A prepared transaction after a crash, and one that has ended.
	for _, s := range []string{"-1/741", "3/0"} {
		v, err := ParseVXID(s)
		if err != nil || v.String() != s || v.Ended() != (s == "3/0") {
			t.Errorf("ParseVXID(%q) = %v, %v", s, v, err)
		}
	}
}
