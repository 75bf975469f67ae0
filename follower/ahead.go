package follower

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/follower/internal/session"
)

// A stored position that the sequence has not reached is of another history of
// the stream's ids: of before they started over. Taken for true it would cover
// ids that are open now. RULES 4.

// judgeAhead adds the finding for each announced stream that lacks nothing else.
// A relation that is locked is left to the next look.
func judgeAhead(ctx context.Context, conn *pgx.Conn, snap *catalog.Snapshot) error {
	for i := range snap.Streams {
		s := &snap.Streams[i]
		if !s.Announced || s.Problem != nil || s.SequenceOID == 0 || snap.Positions == nil {
			continue
		}
		found, err := positionAhead(ctx, conn, snap, s)
		if server.Code(err) == server.CodeLockNotAvailable {
			continue
		}
		if err != nil {
			return fmt.Errorf("compare the positions of stream %q with its sequence: %w", s.Name, err)
		}
		snap.Findings = append(snap.Findings, found)
		if !found.OK {
			s.Problem = &found
		}
	}
	return nil
}

// positionAhead reads the furthest position first, for others announce meanwhile.
func positionAhead(ctx context.Context, conn *pgx.Conn, snap *catalog.Snapshot, s *catalog.ResolvedStream) (catalog.Finding, error) {
	found := catalog.Finding{Name: "positions of stream " + s.Name, OK: true, Scope: catalog.ScopeStream, Stream: s.Name, Table: snap.Positions.Name}
	away := int64(1)
	if s.Descending {
		away = -1
	}
	var writer string
	var at int64
	err := conn.QueryRow(ctx, "SELECT coalesce(instance_name::text, ''), $2 * stream_id::int8 FROM "+snap.Positions.QuotedName+
		" WHERE stream_name::text = $1 ORDER BY $2 * stream_id::int8 DESC NULLS LAST LIMIT 1", s.Name, away).Scan(&writer, &at)
	if errors.Is(err, pgx.ErrNoRows) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	p := fence.NewProber(conn, conn.PgConn().PID(), snap.DatabaseOID, []fence.Target{{
		Sequence: fence.Sequence{OID: s.SequenceOID, Filenode: s.SequenceFilenode}, Name: s.SequenceName,
	}})
	results, err := p.Peek(ctx, time.Now())
	if err != nil {
		return found, err
	}
	if r := results[0]; r.Err == nil && at > r.Reading.Last {
		found.OK = false
		found.Detail = fmt.Sprintf("stream %s: writer %q has announced %d, and sequence %s has only reached %d: ids have started over",
			s.Name, writer, away*at, s.SequenceName, r.Reading.Last)
		found.Fix = "DELETE FROM " + snap.Positions.Name + " WHERE stream_name = " + sqlText(s.Name) +
			", while no writer runs; or, if those ids were drawn, SELECT setval(" + sqlText(s.SequenceName) + fmt.Sprintf(", %d)", at)
	}
	return found, nil
}

// sqlText is a text as SQL has it.
func sqlText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// aheadError says that a position was loaded that the sequence has not reached.
type aheadError struct {
	writer    string
	at, drawn int64
}

func (e *aheadError) Error() string {
	return fmt.Sprintf("writer %q has announced %d, and the sequence has only reached %d: ids have started over", e.writer, e.at, e.drawn)
}

// notAhead refuses positions that have been read and are not true. It may be
// earlier than the look at the catalog that sets the stream aside.
func (s *Stream) notAhead(positions map[string]int64, drawn int64) error {
	for name, at := range positions {
		if s.inward(at) > drawn {
			return &aheadError{name, at, drawn}
		}
	}
	return nil
}

// lacks makes of an aheadError what ends a session for the sake of one stream.
func (o loader) lacks(err error) error {
	var ahead *aheadError
	if !errors.As(err, &ahead) {
		return err
	}
	return &session.RequirementError{
		Stream: o.index, Table: o.footing.catalog.Positions.Name, Column: "stream_id", Problem: ahead.Error(),
	}
}
