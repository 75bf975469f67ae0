package catalog

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// server is what the server says of itself, the database and our role.
type server struct {
	Version                    int
	VersionText                string
	WALLevel                   string
	InRecovery                 bool
	MaxSlots, MaxSenders       int
	StandbyNames               string
	DatabaseOID                uint32
	Database, QuotedDatabase   string
	IsTemplate                 bool
	Role, QuotedRole           string
	MayReplicate, MayReadStats bool
}

// Amazon RDS lends the right to replicate through membership in rds_replication.
const serverSQL = `
SELECT pg_catalog.current_setting('server_version_num')::int,
       pg_catalog.current_setting('server_version'),
       pg_catalog.current_setting('wal_level'),
       pg_catalog.pg_is_in_recovery(),
       pg_catalog.current_setting('max_replication_slots')::int,
       pg_catalog.current_setting('max_wal_senders')::int,
       pg_catalog.current_setting('synchronous_standby_names'),
       d.oid, d.datname, pg_catalog.quote_ident(d.datname), d.datistemplate,
       r.rolname, pg_catalog.quote_ident(r.rolname),
       r.rolsuper OR r.rolreplication OR EXISTS (
           SELECT FROM pg_catalog.pg_roles m
            WHERE m.rolname = 'rds_replication' AND pg_catalog.pg_has_role(m.oid, 'MEMBER')),
       EXISTS (
           SELECT FROM pg_catalog.pg_roles m
            WHERE m.rolname = 'pg_read_all_stats' AND pg_catalog.pg_has_role(m.oid, 'USAGE'))
  FROM pg_catalog.pg_database d, pg_catalog.pg_roles r
 WHERE d.datname = pg_catalog.current_database() AND r.rolname = CURRENT_USER`

func readServer(ctx context.Context, conn *pgx.Conn) (server, error) {
	rows, err := conn.Query(ctx, serverSQL)
	if err != nil {
		return server{}, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[server])
}

// checkServer judges what every stream needs.
func (in *inspection) checkServer() {
	in.add(in.serverVersion(), in.primary(), in.template())
}

// checkReplication judges what the replication session needs.
func (in *inspection) checkReplication() {
	in.add(in.walLevel().scope(ScopeSlot), in.replicationRole().scope(ScopeSlot), in.standbyNames().scope(ScopeSlot))
}

func (in *inspection) serverVersion() Finding {
	srv := in.facts.server
	if srv.Version < MinServerVersion {
		detail := fmt.Sprintf("the server is PostgreSQL %s, wanted %d or newer", srv.VersionText, MinServerVersion/10000)
		return unmet("server version", detail, "upgrade the server")
	}
	return met("server version", "PostgreSQL "+srv.VersionText)
}

func (in *inspection) primary() Finding {
	if in.facts.server.InRecovery {
		return unmet("primary", "the server is a standby (in recovery), wanted the primary",
			"set database.url to the primary, or list all hosts there")
	}
	return met("primary", "")
}

func (in *inspection) template() Finding {
	srv := in.facts.server
	if srv.IsTemplate {
		return unmet("database", "database "+srv.Database+" is a template, wanted an ordinary database",
			"ALTER DATABASE "+srv.QuotedDatabase+" IS_TEMPLATE false")
	}
	return met("database", srv.Database)
}

func (in *inspection) walLevel() Finding {
	level := in.facts.server.WALLevel
	if level != "logical" {
		return unmet("wal_level", "wal_level is "+level+", wanted logical (the server must be restarted after the change)",
			"ALTER SYSTEM SET wal_level = logical")
	}
	return met("wal_level", level)
}

func (in *inspection) replicationRole() Finding {
	srv := in.facts.server
	if !srv.MayReplicate {
		return unmet("replication role", "role "+srv.Role+" may not replicate", "ALTER ROLE "+srv.QuotedRole+" REPLICATION")
	}
	return met("replication role", "role "+srv.Role)
}

// standbyNames keeps RULES 1: where Tidemark is a synchronous standby, commits
// wait for its confirmation while it waits for them to be visible.
func (in *inspection) standbyNames() Finding {
	const name = "synchronous_standby_names"
	const fix = "name your standbys in synchronous_standby_names, each by its own application_name, then SELECT pg_reload_conf()"
	setting := in.facts.server.StandbyNames
	application := walsenderName(in.spec.ApplicationName, in.facts.server.Version)
	match, err := standbyNameMatch(setting, application)
	switch {
	case err != nil:
		return unmet(name, fmt.Sprintf("synchronous_standby_names = '%s' cannot be understood: %v", setting, err), fix)
	case match != "":
		return unmet(name, fmt.Sprintf("synchronous_standby_names = '%s': %s matches Tidemark (application_name %s), "+
			"every commit would wait for it", setting, match, application), fix)
	default:
		return met(name, fmt.Sprintf("'%s' does not match %s", setting, application))
	}
}

// statsRole warns where other roles' sessions are partly hidden.
func (in *inspection) statsRole() Finding {
	srv := in.facts.server
	if !srv.MayReadStats {
		return warning("pg_read_all_stats", "role "+srv.Role+" is not in pg_read_all_stats: held_by cannot tell state "+
			"and since of other roles' sessions", "GRANT pg_read_all_stats TO "+srv.QuotedRole)
	}
	return met("pg_read_all_stats", "")
}
