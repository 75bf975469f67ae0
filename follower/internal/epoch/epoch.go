// Package epoch names the history of the primary that a position belongs to.
//
// Ids that were published may be handed out again after a failover that lost
// WAL, so a position means something only together with its epoch. RULES 11.
package epoch

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
)

// Epoch is one history of one database system.
type Epoch struct {
	System   string // system identifier
	Timeline int32
	// Switch is where this timeline branched off: two standbys promoted apart
	// can share a timeline number. 0 on the first timeline.
	Switch pglogrepl.LSN
	// Rewinds counts how often the server was seen to stand behind WAL that it
	// had flushed: it was restored from an earlier state.
	Rewinds int
}

// String is the epoch's text; equal texts mean one history.
func (e Epoch) String() string {
	text := fmt.Sprintf("%s/%d/%X", e.System, e.Timeline, uint64(e.Switch))
	if e.Rewinds > 0 {
		text += fmt.Sprintf("~%d", e.Rewinds)
	}
	return text
}

// Compare orders epochs of one system: by timeline, then by where it began. A
// client keeps the highest and never returns to a lower one. Epochs of
// different systems are not ordered: the result is 0 for them.
func (e Epoch) Compare(other Epoch) int {
	switch {
	case e.System != other.System:
		return 0
	case e.Timeline != other.Timeline:
		return int(e.Timeline) - int(other.Timeline)
	case e.Switch < other.Switch:
		return -1
	case e.Switch > other.Switch:
		return 1
	}
	return 0
}

// Read completes an epoch over a replication connection. The first timeline
// has no history and asks nothing.
func Read(ctx context.Context, conn *pgconn.PgConn, system string, timeline int32) (Epoch, error) {
	e := Epoch{System: system, Timeline: timeline}
	if timeline <= 1 {
		return e, nil
	}
	history, err := pglogrepl.TimelineHistory(ctx, conn, timeline)
	if err != nil {
		return Epoch{}, fmt.Errorf("read history of timeline %d: %w", timeline, err)
	}
	e.Switch, err = lastSwitch(history.Content)
	if err != nil {
		return Epoch{}, fmt.Errorf("read history of timeline %d: %w", timeline, err)
	}
	return e, nil
}

// lastSwitch finds where the newest timeline of a history file began. A line is
// parent timeline, switch point, reason; # begins a comment. (timeline.c)
func lastSwitch(content []byte) (pglogrepl.LSN, error) {
	var lsn pglogrepl.LSN
	found := false
	lines := bufio.NewScanner(bytes.NewReader(content))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 2 {
			return 0, fmt.Errorf("line %q has no switch point", line)
		}
		if _, err := strconv.ParseUint(fields[0], 10, 32); err != nil {
			return 0, fmt.Errorf("line %q does not begin with a timeline", line)
		}
		at, err := pglogrepl.ParseLSN(fields[1])
		if err != nil {
			return 0, fmt.Errorf("line %q: %w", line, err)
		}
		lsn, found = at, true
	}
	if err := lines.Err(); err != nil {
		return 0, err
	}
	if !found {
		return 0, errors.New("it is empty")
	}
	return lsn, nil
}
