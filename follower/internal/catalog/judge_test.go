package catalog

import (
	"strings"
	"testing"
)

// judged is an inspection of facts that no server here has.
func judged(spec Spec, f facts) *inspection {
	return &inspection{spec: spec, facts: &f, snap: newSnapshot(spec, f.server)}
}

func TestOldServer(t *testing.T) {
	spec := Spec{Streams: []Stream{{Name: "a"}, {Name: "b"}}}
	in := judged(spec, facts{server: server{Version: 140011, VersionText: "14.11"}})
	in.add(in.serverVersion())
	in.blameAll()
	p := in.snap.ServerProblem()
	if p == nil || p.Scope != ScopeServer || !strings.Contains(p.Detail, "14.11, wanted 15") {
		t.Fatalf("a server of version 14 passes: %+v", p)
	}
	for _, s := range in.snap.Streams {
		if s.Problem == nil {
			t.Errorf("stream %s has no Problem", s.Name)
		}
	}
}

func TestSlotStates(t *testing.T) {
	ours := SlotState{Exists: true, Type: "logical", Plugin: "pgoutput", Database: "app", WALStatus: "reserved"}
	with := func(change func(*SlotState)) SlotState {
		s := ours
		change(&s)
		return s
	}
	for _, c := range []struct {
		name     string
		version  int
		failover bool
		slot     SlotState
		ok       bool
		detail   string
	}{
		{"reserved", 150000, false, ours, true, "reserved"},
		{"lost", 150000, false, with(func(s *SlotState) { s.WALStatus = "lost" }), true, "lost"},
		{"in use", 150000, false, with(func(s *SlotState) { s.Active, s.ActivePID = true, 4711 }), true, "pid 4711"},
		{"failover too early", 160004, true, SlotState{}, false, "PostgreSQL 17"},
		{"failover", 170000, true, with(func(s *SlotState) { s.Failover = true }), true, "reserved"},
		{"failover differs", 170000, true, ours, true, "failover is false, configured true"},
	} {
		spec := Spec{Slot: SlotSpec{Kind: SlotPermanent, Name: "s", Failover: c.failover}}
		in := judged(spec, facts{server: server{Version: c.version, VersionText: "16.4", Database: "app"}})
		in.snap.Slot = c.slot
		if f := in.slot(); f.OK != c.ok || !strings.Contains(f.Detail, c.detail) {
			t.Errorf("%s: OK %t, %q; want %t, %q", c.name, f.OK, f.Detail, c.ok, c.detail)
		}
	}
}
