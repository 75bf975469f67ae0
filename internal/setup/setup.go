// Package setup makes in a database what a configuration needs, and takes it
// away again: publications, the positions tables and the permanent slot.
//
// It looks first and plans only what is missing, so that it may be run at any
// time: [Plan] and [PlanTeardown] read the catalog and return statements,
// [Print] writes them as SQL, [Apply] runs them. What is planned for the
// README's schema is publication.sql.
//
// Stream tables belong to the user: they are published, never altered and
// never dropped. Of a publication that holds tables of others only our own
// entries are touched.
package setup

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/config"
)

// madeBySetup marks, in a table's comment, what teardown may drop.
const madeBySetup = "Made by tidemark setup, dropped by tidemark teardown."

// Statement is one step of a plan.
type Statement struct {
	// Doing says what the statement does, as "create publication x".
	Doing string
	// SQL is the statement, without a semicolon at its end.
	SQL string
	// Alone tells that it cannot share a transaction with others: it makes or
	// drops a slot.
	Alone bool
}

// planner collects the statements of one plan, and the rights they lack.
type planner struct {
	catalog
	cfg        *config.Config
	server     server
	statements []Statement
	grants     []string
	// reserved is what belongs to a superuser, whose rights nobody is given, and
	// that superuser; both empty: nothing does.
	reserved, superuser string
}

func (p *planner) add(doing, format string, args ...any) {
	p.statements = append(p.statements, Statement{Doing: doing, SQL: fmt.Sprintf(format, args...)})
}

// lacks notes a right that is missing, as the command that gives it.
func (p *planner) lacks(format string, args ...any) {
	p.grants = append(p.grants, fmt.Sprintf(format, args...))
}

// Plan returns what has to be run to make everything that cfg needs and the
// database of conn lacks; nothing is left to do when it is empty. It changes
// nothing. An error says what stands in the way and what to do about it:
// missing tables and columns, missing rights, a slot or publication that
// belongs to somebody else, an unfit server.
func Plan(ctx context.Context, conn *pgx.Conn, cfg *config.Config) ([]Statement, error) {
	p := &planner{catalog: catalog{conn}, cfg: cfg}
	for _, step := range []func(context.Context) error{
		p.checkServer, p.publishedTable, p.streamTables, p.announcedPositions, p.slot, p.checkRights,
	} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("plan set-up: %w", oneLine(err))
		}
	}
	return p.statements, nil
}

// checkServer refuses a server on which nothing could be made.
func (p *planner) checkServer(ctx context.Context) (err error) {
	if p.server, err = p.lookAtServer(ctx); err != nil {
		return err
	}
	switch s := p.server; {
	case s.version < 150000:
		return fmt.Errorf("the server is PostgreSQL %d, which has no column lists: use 15 or newer", s.version/10000)
	case s.recovering:
		return fmt.Errorf("the server is a standby: connect to the primary")
	case s.walLevel != "logical":
		return fmt.Errorf("wal_level is %s: ALTER SYSTEM SET wal_level = logical, then restart the server", s.walLevel)
	case p.cfg.Follower.Slot.Failover && s.version < 170000:
		return fmt.Errorf("slot.failover needs PostgreSQL 17 and the server is %d: set it to false", s.version/10000)
	}
	if !p.server.replication {
		p.lacks("ALTER ROLE %s REPLICATION", identifier(p.server.role))
	}
	return nil
}

// checkRights tells all missing rights at once: they are asked of somebody else.
func (p *planner) checkRights(context.Context) error {
	if p.reserved != "" {
		return fmt.Errorf("role %q does not own %s: run setup as %q, or as another superuser", p.server.role, p.reserved, p.superuser)
	}
	if len(p.grants) == 0 {
		return nil
	}
	return fmt.Errorf("role %q lacks rights: as a superuser run %s", p.server.role, strings.Join(p.grants, "; "))
}

// ownTable notes that only a table's owner may do what is planned.
func (p *planner) ownTable(t *table) {
	if !t.owned {
		p.become(t.owner, t.ofSuperuser, t.sql())
	}
}

// become notes that the rights of what's owner are needed.
func (p *planner) become(owner string, superuser bool, what string) {
	if superuser {
		p.reserved, p.superuser = what, owner
		return
	}
	p.lacks("GRANT %s TO %s (the owner of %s)", identifier(owner), identifier(p.server.role), what)
}

func (p *planner) createOnDatabase() {
	if !p.server.mayCreate {
		p.lacks("GRANT CREATE ON DATABASE %s TO %s", identifier(p.server.database), identifier(p.server.role))
	}
}

func (p *planner) createInSchema(ctx context.Context, schema string) error {
	found, may, err := p.mayCreateIn(ctx, schema)
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("schema %q does not exist: CREATE SCHEMA %s", schema, identifier(schema))
	}
	if !may {
		p.lacks("GRANT CREATE ON SCHEMA %s TO %s", identifier(schema), identifier(p.server.role))
	}
	return nil
}

// announced tells whether any stream needs announced positions.
func announced(cfg *config.Config) bool {
	for _, s := range cfg.Follower.Streams {
		if s.Allocation == follower.AllocationAnnounced {
			return true
		}
	}
	return false
}

// positionsPublication is where announced positions are published.
func positionsPublication(cfg *config.Config) string {
	return cfg.Follower.Publication + "_positions"
}
