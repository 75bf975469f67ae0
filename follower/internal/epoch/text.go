package epoch

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pglogrepl"
)

// Stream is the epoch of one stream: the history of the database, and which
// life of its ids. Its text is opaque to users:
//
//	system/timeline/switch[~rewinds]/sequence.filenode[/mark]
type Stream struct {
	Epoch
	// Sequence and Filenode are what the catalog calls the sequence of the ids.
	// TRUNCATE … RESTART IDENTITY and ALTER SEQUENCE give it another filenode.
	Sequence, Filenode uint32
	// Mark tells apart the lives of one sequence that was set back; "" in the
	// first.
	Mark string
}

// String is the epoch's text; equal texts mean one history.
func (s Stream) String() string {
	text := fmt.Sprintf("%s/%d.%d", s.Epoch, s.Sequence, s.Filenode)
	if s.Mark != "" {
		text += "/" + s.Mark
	}
	return text
}

// Parse reads what String wrote; false where the text is something else. Where
// nothing stands behind the switch, Sequence is 0.
func Parse(text string) (s Stream, ok bool) {
	parts := append(strings.SplitN(text, "/", 5), "", "", "")
	if s.Epoch, ok = parse(parts[0], parts[1], parts[2]); !ok {
		return Stream{}, false
	}
	s.Mark = parts[4]
	if parts[3] == "" {
		return s, s.Mark == ""
	}
	sequence, filenode, _ := strings.Cut(parts[3], ".")
	oid, errSequence := strconv.ParseUint(sequence, 10, 32)
	node, errFilenode := strconv.ParseUint(filenode, 10, 32)
	if errSequence != nil || errFilenode != nil {
		return Stream{}, false
	}
	s.Sequence, s.Filenode = uint32(oid), uint32(node)
	return s, true
}

func parse(system, timeline, began string) (e Epoch, ok bool) {
	_, errSystem := strconv.ParseUint(system, 10, 64)
	line, errTimeline := strconv.ParseInt(timeline, 10, 32)
	at, rewinds, rewound := strings.Cut(began, "~")
	lsn, errSwitch := strconv.ParseUint(at, 16, 64)
	e = Epoch{System: system, Timeline: int32(line), Switch: pglogrepl.LSN(lsn)}
	if rewound {
		n, err := strconv.Atoi(rewinds)
		if err != nil {
			return e, false
		}
		e.Rewinds = n
	}
	return e, errSystem == nil && errTimeline == nil && errSwitch == nil
}
