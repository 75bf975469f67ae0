package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// badCase is a good database with something spoilt.
type badCase struct {
	name string
	// spoil is run by a superuser; %s is the follower's role.
	spoil string
	spec  func(*catalog.Spec)
	// finding fails, and says the words of detail.
	finding string
	detail  []string
	scope   catalog.Scope
	// fix is part of a Fix that is no SQL; empty: Fix is run as SQL, and then
	// everything is well.
	fix string
	// also is SQL run after Fix where more than one thing was spoilt.
	also string
}

// TestInspect runs all that needs no server of its own on one server of each
// version.
func TestInspect(t *testing.T) {
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		s := newServer(t, version)
		for _, test := range []struct {
			name string
			run  func(*testing.T, *server)
		}{
			{"good", testGoodDatabase},
			{"unmet", testUnmetRequirements},
			{"warnings", testWarnings},
			{"sequence found", testSequenceIsFound},
			{"sequence unlogged", testUnloggedSequence},
			{"role", testReplicationRole},
			{"template", testTemplateDatabase},
			{"column types", testColumnTypes},
			{"slot", testSlot},
			{"slot in use", testSlotInUse},
			{"slots hidden", testSlotsHidden},
			{"no lock is waited for", testInspectTakesNoLock},
			{"no lock is taken", testInspectNeverTouchesTheSequence},
			{"few round trips", testFewRoundTrips},
			{"error", testInspectError},
			{"synchronous_standby_names", testSynchronousStandbyNames},
			{"standby", testStandbyIsNotPrimary},
		} {
			t.Run(test.name, func(t *testing.T) { test.run(t, s) })
		}
	})
}

func testUnmetRequirements(t *testing.T, s *server) {
	for _, cases := range [][]badCase{tableCases(), sequenceCases(), publicationCases(), positionsCases()} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { c.run(t, s) })
		}
	}
}

func (c badCase) run(t *testing.T, s *server) {
	d := s.database(t)
	spec := goodSpec()
	if c.spec != nil {
		c.spec(&spec)
	}
	pgtest.Exec(t, d.owner, d.fill(c.spoil))
	snap := inspect(t, d.user, spec)
	f := finding(t, snap, d.fill(c.finding))
	if f.OK || f.Scope != c.scope {
		t.Fatalf("%q: OK %t, scope %v, want unmet, scope %v: %s", f.Name, f.OK, f.Scope, c.scope, f.Detail)
	}
	wantWords(t, "Detail", f.Detail, c.detail...)
	c.checkBlame(t, snap, f)
	if c.fix != "" {
		wantWords(t, "Fix", f.Fix, c.fix)
		return
	}
	pgtest.Exec(t, d.owner, f.Fix, d.fill(c.also))
	if p := inspect(t, d.user, spec).Problem(); p != nil {
		t.Errorf("after %s: %q is unmet: %s", f.Fix, p.Name, p.Detail)
	}
}

// checkBlame: the failure is reported where the caller will look for it.
func (c badCase) checkBlame(t *testing.T, snap *catalog.Snapshot, f catalog.Finding) {
	t.Helper()
	if snap.Problem() == nil {
		t.Error("Problem() is nil")
	}
	if got, want := snap.ServerProblem() != nil, f.Scope == catalog.ScopeServer || f.Scope == catalog.ScopeSlot; got != want {
		t.Errorf("ServerProblem() != nil is %t, want %t", got, want)
	}
	for _, s := range snap.Streams {
		concerned := f.Scope == catalog.ScopeStream && f.Stream == s.Name || f.Scope == catalog.ScopeAnnounced && s.Announced
		if concerned && s.Problem == nil {
			t.Errorf("stream %s has no Problem", s.Name)
		}
	}
}

func testGoodDatabase(t *testing.T, s *server) {
	d := s.database(t)
	snap := inspect(t, d.user, goodSpec())
	if p := snap.Problem(); p != nil {
		t.Fatalf("%q is unmet: %s", p.Name, p.Detail)
	}
	if snap.Database != d.name || snap.Role != d.role || snap.ServerVersion/10000 != s.cluster.Major() {
		t.Errorf("connected to %s as %s on %d", snap.Database, snap.Role, snap.ServerVersion)
	}
	var database, events, extra, positions, sequence, filenode uint32
	err := d.owner.QueryRow(t.Context(), `SELECT (SELECT oid FROM pg_database WHERE datname = current_database()),
			'events'::regclass::oid, 'extra'::regclass::oid, 'stream_positions'::regclass::oid, 'events_id_seq'::regclass::oid,
			pg_relation_filenode('events_id_seq')`).Scan(&database, &events, &extra, &positions, &sequence, &filenode)
	if err != nil {
		t.Fatal(err)
	}
	if snap.DatabaseOID != database || snap.Positions == nil || snap.Positions.OID != positions {
		t.Errorf("database %d, positions %+v, want %d, %d", snap.DatabaseOID, snap.Positions, database, positions)
	}
	stream := snap.Streams[0]
	if stream.SequenceOID != sequence || stream.SequenceFilenode != filenode || stream.SequenceName != `"public"."events_id_seq"` {
		t.Errorf("sequence %+v, want %d, filenode %d", stream, sequence, filenode)
	}
	want := catalog.ResolvedTable{
		Table: goodSpec().Streams[0].Tables[0], OID: events, QuotedName: `"public"."events"`,
		Schema: "public", RelName: "events", IDType: 20, InstanceType: 25,
	}
	if diff := cmp.Diff(want, stream.Tables[0]); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	refs := map[uint32][]catalog.TableRef{events: {{0, 0}, {1, 0}}, extra: {{0, 1}}}
	if diff := cmp.Diff(refs, snap.TableRefs()); diff != "" {
		t.Errorf("TableRefs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[uint32][]int{sequence: {0, 1}}, snap.SequenceRefs()); diff != "" {
		t.Errorf("SequenceRefs (-want +got):\n%s", diff)
	}
}

// What is only a warning must not stop anybody.
func testWarnings(t *testing.T, s *server) {
	for _, c := range []struct {
		name, spoil string
		spec        func(*catalog.Spec)
		finding     string
		detail      []string
	}{
		{name: "statistics hidden", finding: "pg_read_all_stats", detail: []string{"held_by", "state"}},
		{
			name: "publishes updates", spoil: "ALTER PUBLICATION tidemark SET (publish = 'insert, update, truncate'); " +
				"ALTER TABLE events REPLICA IDENTITY FULL",
			finding: "publication tidemark", detail: []string{"more than insert"},
		},
		{
			name: "no writers listed", spec: func(s *catalog.Spec) { s.Streams[1].Writers = nil },
			finding: "writers told", detail: []string{"told", "public.stream_positions"},
		},
		{
			name: "default draws elsewhere", spoil: "CREATE SEQUENCE other; GRANT SELECT ON other TO %s",
			spec:    func(s *catalog.Spec) { s.Streams[0].Sequence = "other" },
			finding: "sequence of public.events.id", detail: []string{"public.events_id_seq", "other"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := s.database(t)
			spec := goodSpec()
			if c.spec != nil {
				c.spec(&spec)
			}
			pgtest.Exec(t, d.owner, d.fill(c.spoil))
			snap := inspect(t, d.user, spec)
			f := finding(t, snap, c.finding)
			if !f.Warning() || snap.Problem() != nil {
				t.Errorf("%+v, problem %+v; want a warning and no problem", f, snap.Problem())
			}
			wantWords(t, "Detail", f.Detail, c.detail...)
		})
	}
}
