package slots

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The whole rows of pg_replication_slots are taken as JSON, so that one
// statement does for every version: a column that a version lacks is not there.
//
// pg_stat_activity shows backend_xid to every role. Neither it nor anything
// else here assigns a transaction id or takes a lock that others wait for.
const inspection = `
SELECT pg_catalog.jsonb_build_object(
  'time', pg_catalog.clock_timestamp(),
  'system', (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),
  'timeline', CASE WHEN w.recovering THEN '' ELSE pg_catalog.substr(pg_catalog.pg_walfile_name(w.lsn), 1, 8) END,
  'wal', coalesce(w.lsn, '0/0'),
  'keep_size', nullif(pg_catalog.pg_size_bytes(pg_catalog.current_setting('max_slot_wal_keep_size')), -1),
  'slots', coalesce((
    SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(s) || pg_catalog.jsonb_build_object('consumer',
             CASE WHEN a.pid IS NOT NULL THEN pg_catalog.jsonb_build_object(
               'application_name', a.application_name, 'user', a.usename, 'wait_event', a.wait_event,
               'state', r.state, 'sent_lsn', r.sent_lsn, 'flush_lag', extract(epoch FROM r.flush_lag)) END)
             ORDER BY s.slot_name)
      FROM pg_catalog.pg_replication_slots s
      LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = s.active_pid
      LEFT JOIN pg_catalog.pg_stat_replication r ON r.pid = s.active_pid
     WHERE s.slot_type = 'logical'), '[]'),
  'transactions', coalesce((
    SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(t) ORDER BY t.age DESC)
      FROM (SELECT a.backend_xid AS xid, pg_catalog.age(a.backend_xid) AS age, a.pid, NULL::text AS gid, a.application_name,
                   a.usename AS user, a.state, a.wait_event, a.xact_start AS since
              FROM pg_catalog.pg_stat_activity a WHERE a.backend_xid IS NOT NULL
            UNION ALL
            SELECT p.transaction, pg_catalog.age(p.transaction), NULL, p.gid, NULL, p.owner, 'prepared', NULL, p.prepared
              FROM pg_catalog.pg_prepared_xacts p
            ORDER BY 2 DESC LIMIT 5) t), '[]'))
FROM (SELECT r.recovering, CASE WHEN r.recovering THEN pg_catalog.pg_last_wal_replay_lsn()
                                ELSE pg_catalog.pg_current_wal_lsn() END AS lsn
        FROM (SELECT pg_catalog.pg_is_in_recovery() AS recovering) r) w`

// Inspect asks the server of conn for its logical slots, with one statement
// that changes nothing. Any database of the server will do: slots of all of
// them are seen. conn must not be used by anybody else meanwhile.
func Inspect(ctx context.Context, conn *pgx.Conn) (Sample, error) {
	var text []byte
	if err := conn.QueryRow(ctx, inspection).Scan(&text); err != nil {
		return Sample{}, fmt.Errorf("inspect slots: %w", err)
	}
	var s Sample
	if err := json.Unmarshal(text, &s); err != nil {
		return Sample{}, fmt.Errorf("inspect slots: %w", err)
	}
	return s, nil
}
