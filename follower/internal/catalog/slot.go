package catalog

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// SlotState is the configured slot as it was found.
type SlotState struct {
	// Exists tells whether there is a slot of that name.
	Exists bool
	// Plugin and Database are empty for a physical slot (Type "physical").
	Plugin, Type, Database string
	// Temporary slots belong to the session that made them.
	Temporary bool
	// Active tells that some session reads it; ActivePID is that session's
	// process, 0 if nobody's.
	Active    bool
	ActivePID int32
	// WALStatus as in pg_replication_slots: reserved, extended, unreserved,
	// lost, or empty.
	WALStatus string
	// Failover tells a slot that is synchronised to standbys.
	Failover bool
}

// slots is the room for slots and walsenders, and the configured slot.
type slots struct {
	Hidden         bool
	Slots, Senders int
	Slot           SlotState
}

const slotsSQL = `
SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots),
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_get_wal_senders()),
       s.slot_name IS NOT NULL, COALESCE(s.plugin, ''), COALESCE(s.slot_type, ''), COALESCE(s.database, ''),
       COALESCE(s.temporary, false), COALESCE(s.active, false), COALESCE(s.active_pid, 0),
       COALESCE(s.wal_status, ''), COALESCE((pg_catalog.to_jsonb(s)->>'failover')::bool, false)
  FROM (SELECT $1::text) AS asked(name)
  LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = asked.name`

// readSlots reads the room and the slot called name. A server on which the
// role may not see slots is no error: they are hidden.
func readSlots(ctx context.Context, conn *pgx.Conn, name string) (slots, error) {
	var s slots
	c := &s.Slot
	err := conn.QueryRow(ctx, slotsSQL, name).Scan(&s.Slots, &s.Senders, &c.Exists, &c.Plugin, &c.Type, &c.Database,
		&c.Temporary, &c.Active, &c.ActivePID, &c.WALStatus, &c.Failover)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42501" {
		return slots{Hidden: true}, nil
	}
	return s, err
}

// checkSlot judges the slot and the room for it and its session.
func (in *inspection) checkSlot() {
	in.snap.Slot = in.facts.slots.Slot
	if in.facts.slots.Hidden {
		in.add(warning(in.slotName(), "role "+in.facts.server.Role+" may not read pg_replication_slots or "+
			"pg_stat_get_wal_senders(): slots were not checked",
			"GRANT SELECT ON pg_catalog.pg_replication_slots TO "+in.facts.server.QuotedRole+
				"; GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_get_wal_senders() TO "+in.facts.server.QuotedRole).scope(ScopeSlot))
		return
	}
	srv, found := in.facts.server, in.facts.slots
	if !in.snap.Slot.Exists {
		in.add(room("max_replication_slots", found.Slots, srv.MaxSlots))
	}
	if !in.snap.Slot.Active {
		in.add(room("max_wal_senders", found.Senders, srv.MaxSenders))
	}
	in.add(in.slot().scope(ScopeSlot))
}

// room judges a limit of the server of which one more is needed.
func room(setting string, used, limit int) Finding {
	detail := fmt.Sprintf("%d of %s = %d in use", used, setting, limit)
	f := met(setting, detail)
	if used >= limit {
		f = unmet(setting, detail+", one more is needed (the server must be restarted after the change)",
			fmt.Sprintf("ALTER SYSTEM SET %s = %d", setting, used+4))
		f.Transient = true
	}
	return f.scope(ScopeSlot)
}

func (in *inspection) slotName() string {
	if in.spec.Slot.Name == "" {
		return "slot (temporary)"
	}
	return "slot " + in.spec.Slot.Name
}

// slot judges the slot itself. One that is missing, lost or in use by another
// consumer is no failure: it is made, made anew, or waited for.
func (in *inspection) slot() Finding {
	name, spec, slot := in.slotName(), in.spec.Slot, in.snap.Slot
	other := "choose another slot.name, or SELECT pg_drop_replication_slot(" + quoteLiteral(spec.Name) + ")"
	switch {
	case spec.Failover && in.facts.server.Version < 170000:
		return unmet(name, "slot.failover needs PostgreSQL 17, the server is "+in.facts.server.VersionText, "set slot.failover: false")
	case !slot.Exists:
		return met(name, "does not exist yet, it is made when the stream is followed")
	case slot.Type != "logical":
		return unmet(name, name+" is a "+slot.Type+" slot, wanted a logical one of plugin pgoutput", other)
	case slot.Plugin != "pgoutput":
		return unmet(name, name+" has plugin "+slot.Plugin+", wanted pgoutput", other)
	case slot.Database != in.facts.server.Database:
		return unmet(name, name+" is of database "+slot.Database+", wanted "+in.facts.server.Database, other)
	case spec.Kind == SlotTemporary && !slot.Temporary:
		return unmet(name, name+" exists and is permanent, wanted a temporary one", other)
	case slot.Active:
		return met(name, fmt.Sprintf("in use by pid %d: a second follower waits as standby", slot.ActivePID))
	case slot.WALStatus == "lost":
		return met(name, "wal_status is lost: it is made anew when the stream is followed")
	case spec.Failover != slot.Failover:
		return met(name, fmt.Sprintf("failover is %t, configured %t: it takes effect when the slot is made anew", slot.Failover, spec.Failover))
	default:
		return met(name, "wal_status is "+slot.WALStatus)
	}
}
