package follower

import (
	"log/slog"
	"testing"

	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// RULES 12: a position that is kept counts on the system and for the sequence
// that it was published of, whose ids have not started over, as far as can be
// seen; another timeline alone does not void it.
func TestWhichKeptPositionsCount(t *testing.T) {
	good := keptRow{there: true, position: 10, oid: 5, filenode: 6, system: "s", timeline: 1}
	target := fence.Target{Sequence: fence.Sequence{OID: 5, Filenode: 6}}
	for name, c := range map[string]struct {
		change func(*keptRow)
		last   int64
		counts bool
	}{
		"all the same":              {func(*keptRow) {}, 10, true},
		"another timeline":          {func(r *keptRow) { r.timeline = 7 }, 11, true},
		"another system":            {func(r *keptRow) { r.system = "t" }, 10, false},
		"another sequence":          {func(r *keptRow) { r.oid = 7 }, 10, false},
		"TRUNCATE RESTART IDENTITY": {func(r *keptRow) { r.filenode = 7 }, 1000, false},
		"setval back":               {func(*keptRow) {}, 9, false},
		"of the other direction":    {func(r *keptRow) { r.position = -10 }, 10, false},
		"no row":                    {func(r *keptRow) { r.there = false }, 10, false},
	} {
		for _, descending := range []bool{false, true} {
			s, err := newStream(StreamConfig{Name: "s", Descending: descending, Tables: []TableConfig{{Name: "s"}}}, Config{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			row := good
			c.change(&row)
			row.position = s.outward(row.position)
			g := &footing{identity: server.Identity{System: "s", Timeline: 1}}
			if k := row.judge(s, g, target, c.last); k.valid != c.counts || k.valid && k.position != 10 {
				t.Errorf("%s, descending %v: %+v, want it to count: %v", name, descending, k, c.counts)
			}
		}
	}
}
