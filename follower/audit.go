package follower

import (
	"sort"

	"github.com/jackc/pglogrepl"
)

// maxMarks bounds how many positions the audit remembers.
const maxMarks = 4096

// mark says that every id ≤ upTo was settled when the WAL had reached seen.
type mark struct {
	upTo int64
	seen pglogrepl.LSN
}

// audit finds broken promises: a row whose transaction committed after a
// position that covers it was published. Ids are counted away from zero.
// The zero value knows of nothing published. It is not safe for concurrent use.
type audit struct {
	marks []mark // upTo ascends
}

// published notes a position. seen is an insert position read after all ids
// ≤ upTo had settled, not when that was first hoped for. RULES 8.
func (a *audit) published(upTo int64, seen pglogrepl.LSN) {
	if n := len(a.marks); n > 0 && a.marks[n-1].upTo >= upTo {
		return
	}
	if len(a.marks) == maxMarks {
		// Every second of the older half: what is asked about them later gets
		// the next higher one, whose LSN is no lower: no false alarm.
		a.marks = thin(a.marks)
	}
	a.marks = append(a.marks, mark{upTo, seen})
}

func thin(marks []mark) []mark {
	half := len(marks) / 2
	kept := marks[:0]
	for i, m := range marks {
		if i >= half || i%2 == 1 {
			kept = append(kept, m)
		}
	}
	return kept
}

// late reports whether a row with that id, whose commit record ends at end,
// came after a position that covers it. The comparison is strict: a record
// that ends where the WAL stood was there. RULES 8.
func (a *audit) late(id int64, end pglogrepl.LSN) bool {
	n := len(a.marks)
	if n == 0 || id > a.marks[n-1].upTo {
		return false
	}
	i := sort.Search(n, func(i int) bool { return a.marks[i].upTo >= id })
	return end > a.marks[i].seen
}

// below is the highest position all of whose rows ended before lsn: whoever has
// decoded the WAL up to there has seen them all.
func (a *audit) below(lsn pglogrepl.LSN) int64 {
	n := sort.Search(len(a.marks), func(i int) bool { return a.marks[i].seen > lsn })
	if n == 0 {
		return 0
	}
	return a.marks[n-1].upTo
}
