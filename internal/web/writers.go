package web

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tidemark-pg/tidemark/tracker"
)

// MaxWriters is how many writers of a stream are shown anywhere.
const MaxWriters = tracker.MaxWriters

// RecentWriters returns writers as they may be shown: at most MaxWriters, those
// with the newest ids (farthest from zero, as descending ids are negative), and
// every name valid UTF-8. Names that become equal by that keep the newest id.
// The argument is returned as it is, or an empty map for nil, when there is
// nothing to change; it is never modified.
func RecentWriters(writers map[string]int64) map[string]int64 {
	if writers == nil {
		return map[string]int64{}
	}
	return newestOnly(validNames(writers))
}

func validNames(writers map[string]int64) map[string]int64 {
	valid := true
	for name := range writers {
		valid = valid && utf8.ValidString(name)
	}
	if valid {
		return writers
	}
	shown := make(map[string]int64, len(writers))
	for name, id := range writers {
		name = strings.ToValidUTF8(name, "\uFFFD")
		if old, ok := shown[name]; !ok || newer(id, old) < 0 {
			shown[name] = id
		}
	}
	return shown
}

func newestOnly(writers map[string]int64) map[string]int64 {
	if len(writers) <= MaxWriters {
		return writers
	}
	names := slices.SortedFunc(maps.Keys(writers), func(a, b string) int {
		return cmp.Or(newer(writers[a], writers[b]), cmp.Compare(a, b))
	})
	shown := make(map[string]int64, MaxWriters)
	for _, name := range names[:MaxWriters] {
		shown[name] = writers[name]
	}
	return shown
}

// newer orders ids newest first.
func newer(a, b int64) int { return cmp.Compare(magnitude(b), magnitude(a)) }

// magnitude is the absolute value; unsigned, so that the least int64 has one.
func magnitude(id int64) uint64 {
	if id < 0 {
		return -uint64(id)
	}
	return uint64(id)
}
