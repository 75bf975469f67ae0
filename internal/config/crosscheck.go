package config

import (
	"fmt"
	"slices"

	"github.com/tidemark-pg/tidemark/follower"
)

// positionsSuffix makes the name of the publication of announced positions.
const positionsSuffix = "_positions"

// crossCheck refuses values that are right by themselves and wrong together.
func (d *document) crossCheck(c *Config) {
	d.checkSlot(c)
	d.checkReaders(c)
	d.checkStreams(c.Follower.Streams)
	d.checkTables(c)
	d.checkAnnounced(c)
	d.checkHTTP(&c.HTTP)
}

func (d *document) checkSlot(c *Config) {
	if c.Follower.Slot.Standby != "" && c.Follower.Slot.Kind != follower.SlotTemporary {
		d.refuse(d.where("slot.standby"), "a slot on a standby must be a temporary one", "set slot.temporary to true, or remove standby")
	}
	if c.Follower.Slot.Failover && c.Follower.Slot.Kind == follower.SlotTemporary {
		d.refuse(d.where("slot.failover"), "a temporary slot cannot fail over", "remove failover or temporary")
	}
}

func (d *document) checkReaders(c *Config) {
	for i, r := range c.Readers {
		if slices.Contains(c.Readers[:i], r) {
			d.refuse(d.where(fmt.Sprintf("database.readers[%d]", i)), "the reader is listed twice", "list each standby once")
		}
	}
}

func (d *document) checkStreams(streams []follower.StreamConfig) {
	if len(streams) == 0 {
		d.refuse(d.where("streams"), "streams is empty", "name at least one stream")
	}
	seen := map[string]bool{}
	for i, s := range streams {
		path := fmt.Sprintf("streams[%d]", i)
		if seen[s.Name] {
			d.refuse(d.where(path+".name"), fmt.Sprintf("stream %q is there twice", s.Name), "give each stream a name of its own")
		}
		seen[s.Name] = true
		if len(s.Tables) == 0 {
			d.refuse(d.where(path+".tables"), fmt.Sprintf("stream %q has no tables", s.Name), "name at least one table")
		}
		d.checkWriters(s, path)
	}
}

func (d *document) checkWriters(s follower.StreamConfig, path string) {
	if len(s.Writers) > 0 && s.Allocation != follower.AllocationAnnounced {
		d.refuse(d.where(path+".writers"), fmt.Sprintf("writers of the transaction stream %q", s.Name), "remove writers, or set allocation: announced")
	}
	for i, w := range s.Writers {
		if w == "" || slices.Contains(s.Writers[:i], w) {
			d.refuse(d.where(fmt.Sprintf("%s.writers[%d]", path, i)), fmt.Sprintf("writer %q is empty or there twice", w), "list each writer once")
		}
	}
	for i, t := range s.Tables {
		if t.InstanceColumn != "" && t.Writer != "" {
			d.refuse(d.where(fmt.Sprintf("%s.tables[%d].writer", path, i)), "both instance_column and writer are given", "keep one: the column, or the table's only writer")
		}
	}
}

// checkTables refuses a table that two streams of one direction share: a row
// would belong to both. (The sign of the id parts the two directions.)
func (d *document) checkTables(c *Config) {
	type owned struct {
		name       string
		descending bool
	}
	seen := map[owned]string{}
	for i, s := range c.Follower.Streams {
		for j, t := range s.Tables {
			key := owned{canonical(t.Name), s.Descending}
			at := d.where(fmt.Sprintf("streams[%d].tables[%d].name", i, j))
			if first, twice := seen[key]; twice {
				d.refuse(at, fmt.Sprintf("table %q already belongs to stream %q", t.Name, first), "a table has one ascending and one descending stream at most")
			}
			seen[key] = s.Name
			if c.Published.Table != "" && key.name == canonical(c.Published.Table) {
				d.refuse(at, fmt.Sprintf("table %q is published.table too", t.Name), "keep published positions in a table of their own")
			}
		}
	}
}

func (d *document) checkAnnounced(c *Config) {
	i := slices.IndexFunc(c.Follower.Streams, func(s follower.StreamConfig) bool {
		return s.Allocation == follower.AllocationAnnounced
	})
	if i < 0 {
		return
	}
	name, table := c.Follower.Streams[i].Name, c.Follower.PositionsTable
	if table == "" {
		d.refuse(d.where("positions_table"), fmt.Sprintf("the announced stream %q needs a positions_table", name), "name the table that its writers keep up to date")
	} else if canonical(table) == canonical(c.Published.Table) {
		d.refuse(d.where("positions_table"), "positions_table is published.table too", "writers' and published positions need a table each")
	}
	if limit := maxIdentifier - len(positionsSuffix); len(c.Follower.Publication) > limit {
		d.refuse(d.where("publication"), fmt.Sprintf("publication is %d bytes long", len(c.Follower.Publication)), fmt.Sprintf("use at most %d, as %q is added for announced positions", limit, positionsSuffix))
	}
}

func (d *document) checkHTTP(h *HTTP) {
	if h.TokenFile == "" && !loopback(h.Listen) {
		d.refuse(d.where("http.listen"), fmt.Sprintf("http.listen %q is open to others without a token", h.Listen), "set http.token_file, or listen on 127.0.0.1")
	}
	switch tls := h.TLS; {
	case tls.CertFile != "" && tls.KeyFile == "":
		d.refuse(d.where("http.tls.cert_file"), "a certificate without its key", "set http.tls.key_file")
	case tls.KeyFile != "" && tls.CertFile == "":
		d.refuse(d.where("http.tls.key_file"), "a key without its certificate", "set http.tls.cert_file")
	}
}
