package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/config"
)

// streamTables plans the publication of the stream tables.
func (p *planner) streamTables(ctx context.Context) error {
	tables, err := p.resolveStreams(ctx)
	if err != nil {
		return err
	}
	name := p.cfg.Follower.Publication
	pub, err := p.findPublication(ctx, name)
	if err != nil {
		return err
	}
	if pub == nil {
		p.createPublication(name, "insert", tables)
		return nil
	}
	if err := pub.usable(); err != nil {
		return err
	}
	publish, err := p.publishInserts(ctx, pub, tables)
	if err != nil {
		return err
	}
	p.alterPublication(pub, publish, tables)
	return nil
}

// publishInserts says what the publication has to be set to publish; empty is
// no change. One that is ours alone publishes inserts only. One that others
// use keeps what it publishes, unless that would make updates of our tables
// fail: a column list must then hold the table's replica identity.
func (p *planner) publishInserts(ctx context.Context, pub *publication, tables []wanted) (string, error) {
	others := pub.others(tables)
	if len(others) == 0 {
		if pub.insert && !pub.update && !pub.delete && !pub.truncate {
			return "", nil
		}
		return "insert", nil
	}
	if pub.update || pub.delete {
		if err := p.refuseBrokenUpdates(ctx, pub, tables, others); err != nil {
			return "", err
		}
	}
	if pub.insert {
		return "", nil
	}
	return publishing(pub, "insert"), nil
}

func (p *planner) refuseBrokenUpdates(ctx context.Context, pub *publication, tables []wanted, others []string) error {
	for _, w := range tables {
		identity, err := p.replicaIdentity(ctx, w.table)
		if err != nil {
			return err
		}
		if !identity.within(w.columns) {
			return fmt.Errorf("publication %q publishes updates, for %s: with %s in it updates of that table would fail: name a publication of its own",
				pub.name, strings.Join(others, ", "), w.table.sql())
		}
	}
	return nil
}

// publishing is what pub publishes, and more.
func publishing(pub *publication, more ...string) string {
	kinds := []struct {
		name string
		now  bool
	}{{"insert", pub.insert}, {"update", pub.update}, {"delete", pub.delete}, {"truncate", pub.truncate}}
	var names []string
	for _, k := range kinds {
		if k.now || slices.Contains(more, k.name) {
			names = append(names, k.name)
		}
	}
	return strings.Join(names, ", ")
}

// resolveStreams looks up every stream table. A table of an ascending and a
// descending stream is one entry, with the columns of both.
func (p *planner) resolveStreams(ctx context.Context) ([]wanted, error) {
	var all []wanted
	owner := map[uint32]map[bool]string{}
	for _, s := range p.cfg.Follower.Streams {
		for _, tc := range s.Tables {
			t, err := p.resolve(ctx, s, tc)
			if err != nil {
				return nil, err
			}
			if first, twice := owner[t.oid][s.Descending]; twice {
				return nil, fmt.Errorf("table %s belongs to stream %q and, as %s, to stream %q: name it once for each direction", t.sql(), first, tc.Name, s.Name)
			}
			if owner[t.oid] == nil {
				owner[t.oid] = map[bool]string{}
			}
			owner[t.oid][s.Descending] = s.Name
			all = merge(all, wanted{t, columnsOf(tc)})
		}
	}
	return all, nil
}

func (p *planner) resolve(ctx context.Context, s follower.StreamConfig, tc follower.TableConfig) (*table, error) {
	t, err := p.find(ctx, tc.Name)
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, fmt.Errorf("table %s of stream %q does not exist in database %q: create it, or mend its name in the configuration", tc.Name, s.Name, p.server.database)
	}
	if err := t.requireLogged(); err != nil {
		return nil, err
	}
	return t, t.requireColumns(columnsOf(tc)...)
}

func columnsOf(tc follower.TableConfig) []string {
	if tc.InstanceColumn == "" || tc.InstanceColumn == tc.IDColumn {
		return []string{tc.IDColumn}
	}
	return []string{tc.IDColumn, tc.InstanceColumn}
}

// merge adds w, or its columns where its table is there already.
func merge(all []wanted, w wanted) []wanted {
	i := slices.IndexFunc(all, func(o wanted) bool { return o.table.oid == w.table.oid })
	if i < 0 {
		return append(all, w)
	}
	for _, c := range w.columns {
		if !slices.Contains(all[i].columns, c) {
			all[i].columns = append(all[i].columns, c)
		}
	}
	return all
}

// streamTableNames lists the configured names, for teardown.
func streamTableNames(cfg *config.Config) (names []string) {
	for _, s := range cfg.Follower.Streams {
		for _, t := range s.Tables {
			names = append(names, t.Name)
		}
	}
	return names
}
