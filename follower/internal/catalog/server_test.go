package catalog_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func TestWALLevel(t *testing.T) {
	s := newServer(t, pgtest.Setting("wal_level", "replica"))
	d := s.database(t)
	snap := inspect(t, d.user, goodSpec())
	f := finding(t, snap, "wal_level")
	if f.OK || f.Scope != catalog.ScopeSlot || snap.ServerProblem().Name != f.Name {
		t.Fatalf("wal_level: %+v, ServerProblem %+v", f, snap.ServerProblem())
	}
	wantWords(t, "Detail", f.Detail, "wal_level is replica", "logical", "restarted")
	spec := goodSpec()
	spec.Slot.Kind = catalog.SlotNone
	if p := inspect(t, d.user, spec).ServerProblem(); p != nil {
		t.Errorf("without a slot wal_level does not matter, yet: %s", p.Detail)
	}
	pgtest.Exec(t, d.owner, f.Fix)
	if err := s.cluster.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := inspect(t, pgtest.ConnectURL(t, s.cluster.URL(d.role, d.name)), goodSpec()).Problem(); p != nil {
		t.Errorf("after %s and a restart: %s", f.Fix, p.Detail)
	}
}

func testReplicationRole(t *testing.T, s *server) {
	d := s.database(t)
	pgtest.Exec(t, d.owner, "ALTER ROLE "+d.role+" NOREPLICATION")
	f := finding(t, inspect(t, d.user, goodSpec()), "replication role")
	if f.OK || f.Scope != catalog.ScopeSlot {
		t.Fatalf("a role without REPLICATION passes: %+v", f)
	}
	wantWords(t, "Detail", f.Detail, d.role, "may not replicate")
	pgtest.Exec(t, d.owner, f.Fix)
	if p := inspect(t, d.user, goodSpec()).Problem(); p != nil {
		t.Errorf("after %s: %s", f.Fix, p.Detail)
	}
	if p := inspect(t, d.owner, goodSpec()).Problem(); p != nil {
		t.Errorf("a superuser fails: %s", p.Detail)
	}
}

func testTemplateDatabase(t *testing.T, s *server) {
	d := s.ownDatabase(t)
	pgtest.Exec(t, d.owner, "ALTER DATABASE "+d.name+" IS_TEMPLATE true")
	f := finding(t, inspect(t, d.user, goodSpec()), "database")
	if f.OK || f.Scope != catalog.ScopeServer {
		t.Fatalf("a template passes: %+v", f)
	}
	wantWords(t, "Detail", f.Detail, d.name, "template")
	pgtest.Exec(t, d.owner, f.Fix)
	if p := inspect(t, d.user, goodSpec()).Problem(); p != nil {
		t.Errorf("after %s: %s", f.Fix, p.Detail)
	}
}

// RULES 1: whatever makes us a synchronous standby is refused.
func testSynchronousStandbyNames(t *testing.T, s *server) {
	d := s.database(t)
	pgtest.Exec(t, s.admin, "SET synchronous_commit = local")
	for _, c := range []struct {
		setting string
		ok      bool
	}{
		{"*", false},
		{"nobody", true},
		{"TIDEMARK", false},
		{`FIRST 1 (replica1, "tidemark")`, false},
		{"ANY 1 (replica1, replica2)", true},
		{"ANY 2 (replica1, *)", false},
		{"", true},
	} {
		if err := s.cluster.SetSettings(t.Context(), map[string]string{"synchronous_standby_names": c.setting}); err != nil {
			t.Fatal(err)
		}
		if err := s.cluster.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		conn := pgtest.ConnectURL(t, s.cluster.URL(d.role, d.name)) // a new session has the new setting for certain
		f := finding(t, inspect(t, conn, goodSpec()), "synchronous_standby_names")
		if f.OK != c.ok || !strings.Contains(f.Detail, c.setting) {
			t.Errorf("%q: OK %t, want %t: %s", c.setting, f.OK, c.ok, f.Detail)
		}
		if !c.ok {
			wantWords(t, "Detail", f.Detail, "synchronous_standby_names", "tidemark")
			wantWords(t, "Fix", f.Fix, "name your standbys")
		}
	}
}

func testStandbyIsNotPrimary(t *testing.T, s *server) {
	d := s.database(t)
	standby := pgtest.Standby(t, s.cluster, "replica1")
	pgtest.AwaitReplay(t, s.cluster, standby)
	conn := pgtest.ConnectURL(t, standby.URL(d.role, d.name))
	snap := inspect(t, conn, goodSpec())
	f := finding(t, snap, "primary")
	if f.OK || snap.ServerProblem().Scope != catalog.ScopeServer {
		t.Fatalf("a standby passes: %+v", snap.ServerProblem())
	}
	wantWords(t, "Detail", f.Detail, "in recovery")
	wantWords(t, "Fix", f.Fix, "database.url")
}

func TestRoom(t *testing.T) {
	s := newServer(t, pgtest.Setting("max_replication_slots", "1"), pgtest.Setting("max_wal_senders", "0"))
	d := s.database(t)
	pgtest.Exec(t, d.owner, "SELECT pg_create_logical_replication_slot('taken', 'pgoutput')")
	snap := inspect(t, d.user, goodSpec())
	for _, name := range []string{"max_replication_slots", "max_wal_senders"} {
		f := finding(t, snap, name)
		if f.OK || !f.Transient || f.Scope != catalog.ScopeSlot {
			t.Errorf("%s: %+v, want unmet and transient", name, f)
		}
		wantWords(t, "Detail", f.Detail, name)
		pgtest.Exec(t, d.owner, f.Fix)
	}
	spec := goodSpec()
	spec.Slot.Name = "taken"
	if f := finding(t, inspect(t, d.user, spec), "slot taken"); !f.OK {
		t.Errorf("our own slot takes no further room: %s", f.Detail)
	}
	if p := inspect(t, d.user, spec).Problem(); p == nil || p.Name != "max_wal_senders" {
		t.Errorf("problem %+v, want max_wal_senders alone", p)
	}
	if err := s.cluster.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p := inspect(t, pgtest.ConnectURL(t, s.cluster.URL(d.role, d.name)), goodSpec()).Problem(); p != nil {
		t.Errorf("after the fixes and a restart: %s", p.Detail)
	}
}

func testSlot(t *testing.T, s *server) {
	d := s.ownDatabase(t)
	other := s.ownDatabase(t)
	pgtest.Exec(t, d.owner, `SELECT pg_create_physical_replication_slot('physical');
		SELECT pg_create_logical_replication_slot('decoding', 'test_decoding');
		SELECT pg_create_logical_replication_slot('ours', 'pgoutput')`)
	pgtest.Exec(t, other.owner, "SELECT pg_create_logical_replication_slot('elsewhere', 'pgoutput')")
	const permanent, temporary = catalog.SlotPermanent, catalog.SlotTemporary
	for _, c := range []struct {
		spec   catalog.SlotSpec
		ok     bool
		detail []string
	}{
		{catalog.SlotSpec{Kind: permanent, Name: "ours"}, true, []string{"reserved"}},
		{catalog.SlotSpec{Kind: permanent, Name: "new"}, true, []string{"does not exist yet"}},
		{catalog.SlotSpec{Kind: permanent, Name: "physical"}, false, []string{"physical", "pgoutput"}},
		{catalog.SlotSpec{Kind: permanent, Name: "decoding"}, false, []string{"test_decoding", "pgoutput"}},
		{catalog.SlotSpec{Kind: permanent, Name: "elsewhere"}, false, []string{other.name, d.name}},
		{catalog.SlotSpec{Kind: temporary, Name: "ours"}, false, []string{"permanent", "temporary"}},
		{catalog.SlotSpec{Kind: temporary, Name: "new"}, true, nil},
	} {
		spec := goodSpec()
		spec.Slot = c.spec
		snap := inspect(t, d.user, spec)
		f := finding(t, snap, "slot "+c.spec.Name)
		if f.OK != c.ok || f.Scope != catalog.ScopeSlot {
			t.Errorf("%+v: OK %t, want %t: %s", c.spec, f.OK, c.ok, f.Detail)
		}
		wantWords(t, "Detail", f.Detail, c.detail...)
		if !c.ok {
			wantWords(t, "Fix", f.Fix, "slot.name", c.spec.Name)
		}
	}
}

// A slot that another follower reads is waited for: the finding names its pid.
func testSlotInUse(t *testing.T, s *server) {
	d := s.ownDatabase(t)
	holder := replicating(t, s.cluster.URL(d.role, d.name))
	if _, err := holder.PgConn().Exec(t.Context(), "CREATE_REPLICATION_SLOT tidemark TEMPORARY LOGICAL pgoutput").ReadAll(); err != nil {
		t.Fatal(err)
	}
	spec := goodSpec()
	spec.Slot.Kind = catalog.SlotTemporary
	snap := inspect(t, d.user, spec)
	f := finding(t, snap, "slot tidemark")
	if !f.OK || snap.Problem() != nil {
		t.Errorf("a slot in use is no failure: %+v", snap.Problem())
	}
	if want := int32(holder.PgConn().PID()); snap.Slot.ActivePID != want || !snap.Slot.Active || !snap.Slot.Temporary {
		t.Errorf("slot %+v, want active by %d", snap.Slot, want)
	}
	wantWords(t, "Detail", f.Detail, "in use by pid")
}

func replicating(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	return pgtest.ConnectURL(t, url+"&replication=database&default_query_exec_mode=simple_protocol")
}

func testSlotsHidden(t *testing.T, s *server) {
	d := s.ownDatabase(t)
	pgtest.Exec(t, d.owner, "REVOKE SELECT ON pg_replication_slots FROM PUBLIC")
	snap := inspect(t, d.user, goodSpec())
	f := finding(t, snap, "slot tidemark")
	if !f.Warning() || snap.Problem() != nil {
		t.Errorf("slots that may not be seen: %+v, problem %+v", f, snap.Problem())
	}
	pgtest.Exec(t, d.owner, f.Fix)
	if f := finding(t, inspect(t, d.user, goodSpec()), "slot tidemark"); f.Warning() {
		t.Errorf("after the fix: %+v", f)
	}
}
