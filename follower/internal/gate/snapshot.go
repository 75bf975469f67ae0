package gate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Snapshot is what pg_current_snapshot() says: which transactions a new
// snapshot on the primary would see. On a physical standby it lists no
// transaction in progress and must not be used (DESIGN fact 3).
type Snapshot struct {
	xmin, xmax uint64
	inProgress []uint64 // ascending
}

// ParseSnapshot reads the text form xmin:xmax:xip,xip,…
// (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT).
func ParseSnapshot(s string) (Snapshot, error) {
	snapshot, err := parseSnapshot(s)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read snapshot %.80q: %w", s, err)
	}
	return snapshot, nil
}

func parseSnapshot(s string) (Snapshot, error) {
	fields := strings.SplitN(s, ":", 3)
	if len(fields) != 3 {
		return Snapshot{}, errors.New("want XMIN:XMAX:LIST")
	}
	xmin, err1 := strconv.ParseUint(fields[0], 10, 64)
	xmax, err2 := strconv.ParseUint(fields[1], 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return Snapshot{}, errors.New("xmin or xmax is not a transaction id")
	}
	if xmin > xmax {
		return Snapshot{}, errors.New("xmin is above xmax")
	}
	snapshot := Snapshot{xmin: xmin, xmax: xmax}
	if fields[2] == "" {
		return snapshot, nil
	}
	for part := range strings.SplitSeq(fields[2], ",") {
		xid, err := strconv.ParseUint(part, 10, 64)
		if err != nil || xid < xmin || xid >= xmax {
			return Snapshot{}, fmt.Errorf("%q is not a transaction id between xmin and xmax", part)
		}
		snapshot.inProgress = append(snapshot.inProgress, xid)
	}
	slices.Sort(snapshot.inProgress)
	return snapshot, nil
}

// Visible reports whether a new snapshot sees the transaction, whose commit
// must have been decoded. The replication stream gives the lower 32 bits of
// its id: it lies within 2^31 of xmax, as every xid in use does.
func (s Snapshot) Visible(xid uint32) bool {
	full := s.xmax + uint64(int64(int32(xid-uint32(s.xmax))))
	if full >= s.xmax && full-s.xmax < 1<<31 {
		return false
	}
	if full < s.xmin {
		return true
	}
	_, running := slices.BinarySearch(s.inProgress, full)
	return !running
}
