package follower

import (
	"context"
	"fmt"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// RequirementError is a requirement that the database does not meet.
type RequirementError struct {
	// Requirement names it: "wal_level", "table public.events", …
	Requirement string
	// Detail says in one line what is wrong, Fix what mends it: SQL, or a setting.
	Detail, Fix string
}

// Error is one line: what is wrong and what to do.
func (e *RequirementError) Error() string {
	return fmt.Sprintf("requirement not met: %s: to mend it: %s", e.Detail, e.Fix)
}

// Finding is one requirement, met or not.
type Finding struct {
	// Name of the requirement, the same whether it is met or not.
	Name string
	// OK tells whether it is met.
	OK bool
	// Detail is one line with the actual and the wanted value. With OK and Fix
	// it is a warning.
	Detail string
	// Fix is what mends it: SQL, or the setting to change.
	Fix string
}

// Check asks the database whether it meets every requirement of the
// configuration, without changing anything. The error is about asking, not
// about what was found. It may be called at any time; Run is not needed.
func (f *Follower) Check(ctx context.Context) ([]Finding, error) {
	conn, primary, err := f.dialer.SQL(ctx)
	if err != nil {
		return nil, err
	}
	defer server.Close(conn)
	readers := f.checkReaders(ctx, primary)
	ctx, cancel := context.WithTimeout(ctx, 2*server.Patience)
	defer cancel()
	snapshot, err := catalog.Inspect(ctx, conn, f.spec)
	if err != nil {
		return nil, fmt.Errorf("check requirements: %w", err)
	}
	if err := judgeAhead(ctx, conn, snapshot); err != nil {
		return nil, fmt.Errorf("check requirements: %w", err)
	}
	var findings []Finding
	for _, found := range snapshot.Findings {
		findings = append(findings, Finding{Name: found.Name, OK: found.OK, Detail: found.Detail, Fix: found.Fix})
	}
	if table := f.cfg.Published.Table; table != "" {
		found, err := checkKept(ctx, conn, table)
		if err != nil {
			return nil, err
		}
		findings = append(findings, found)
	}
	return append(findings, readers...), nil
}

// unmet is the first finding that keeps a follower from starting; nil where
// there is none. Transient ones mend themselves, and a server that takes us for
// a standby is waited for: the fence serves positions meanwhile (RULES 1).
func unmet(s *catalog.Snapshot) *RequirementError {
	for _, f := range s.Findings {
		if f.OK || f.Transient || f.Name == standbyNames {
			continue
		}
		return &RequirementError{Requirement: f.Name, Detail: f.Detail, Fix: f.Fix}
	}
	return nil
}

// standbyNames is the name of the finding about synchronous_standby_names.
const standbyNames = "synchronous_standby_names"
