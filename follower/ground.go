package follower

import (
	"context"
	"slices"
	"sync"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/follower/internal/epoch"
	"github.com/tidemark-pg/tidemark/follower/internal/fence"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
	"github.com/tidemark-pg/tidemark/follower/internal/session"
)

// footing is what all loops of a follower stand on: which server and history,
// and what its catalog says. It does not change; the warden lays a new one.
type footing struct {
	identity server.Identity
	epoch    epoch.Epoch
	catalog  *catalog.Snapshot
	enrolled []bool // streams whose positions are kept: it makes their epoch another
}

// ground holds the current footing.
type ground struct {
	mu struct {
		sync.Mutex
		now     *footing
		changed chan struct{}
	}
}

func newGround() *ground {
	g := &ground{}
	g.mu.changed = make(chan struct{})
	return g
}

// lay puts a new footing under the loops and tells them.
func (g *ground) lay(f *footing) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mu.now = f
	close(g.mu.changed)
	g.mu.changed = make(chan struct{})
}

// now returns the footing, nil before the first, and what is closed when there
// is another.
func (g *ground) now() (*footing, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mu.now, g.mu.changed
}

// wait returns the footing as soon as there is one.
func (g *ground) wait(ctx context.Context) (*footing, error) {
	for {
		f, changed := g.now()
		if f != nil {
			return f, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// until waits for a footing of which over is true, or the end of ctx.
func (g *ground) until(ctx context.Context, over func(now *footing) bool) {
	for ctx.Err() == nil {
		now, changed := g.now()
		if over(now) {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// same reports whether nothing that a running loop depends on differs.
func (f *footing) same(other *footing) bool {
	return f.alike(other) && f.identity.SameServer(other.identity)
}

// alike is same but for the server, which may have been restarted.
func (f *footing) alike(other *footing) bool {
	return f != nil && other != nil && f.epoch == other.epoch && f.identity.Same(other.identity) &&
		slices.Equal(f.targets(), other.targets()) && slices.Equal(f.usable(), other.usable()) &&
		slices.Equal(f.catalog.Published, other.catalog.Published) && slices.Equal(f.enrolled, other.enrolled)
}

// usable tells, for each stream and each of its tables, what the session reads:
// the tables' oids where the stream has what it needs, nothing otherwise.
func (f *footing) usable() []uint32 {
	var oids []uint32
	for _, s := range f.catalog.Streams {
		oids = append(oids, 0)
		if s.Problem != nil {
			continue
		}
		if s.Announced && f.catalog.Positions != nil {
			oids = append(oids, f.catalog.Positions.OID)
		}
		for _, t := range s.Tables {
			oids = append(oids, t.OID)
		}
	}
	return oids
}

// targets are the sequences to probe, one for each stream; the zero Target
// where a stream's sequence is not known.
func (f *footing) targets() []fence.Target {
	var targets []fence.Target
	for _, s := range f.catalog.Streams {
		targets = append(targets, fence.Target{
			Sequence: fence.Sequence{OID: s.SequenceOID, Filenode: s.SequenceFilenode},
			Name:     s.SequenceName,
		})
	}
	return targets
}

// routes tell the session what to make of the rows. Streams that lack
// something are left out: their rows could not be understood.
func (f *footing) routes() session.Routes {
	routes := make(session.Routes)
	for i, s := range f.catalog.Streams {
		if s.Problem != nil {
			continue
		}
		for j, t := range s.Tables {
			routes[t.OID] = append(routes[t.OID], session.Route{
				Stream: i, Table: j, TableName: t.Name, Descending: s.Descending,
				IDColumn: t.IDColumn, InstanceColumn: t.InstanceColumn, Writer: t.Writer,
				Ordered: s.Announced,
			})
		}
	}
	return routes
}

// positions tell the session of the table of announced positions; nil where
// no announced stream can be followed.
func (f *footing) positions() *session.Positions {
	p := f.catalog.Positions
	if p == nil {
		return nil
	}
	streams := make(map[string]int)
	for i, s := range f.catalog.Streams {
		if s.Announced && s.Problem == nil {
			streams[s.Name] = i
		}
	}
	if len(streams) == 0 {
		return nil
	}
	return &session.Positions{OID: p.OID, TableName: p.Name, Streams: streams}
}
