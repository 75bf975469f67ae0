package follower

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/tracker/allocator/allocatortest"
)

// simDatabase is as much of a server as an announced stream meets: a sequence,
// a log that a crash cuts off, transactions that are decoded before they are
// visible or visible before they are on disk. Ids count 1, 2, … in it.
type simDatabase struct {
	note    func(format string, args ...any)
	last    int64 // the sequence's value
	logged  int64 // what the log says of it: up to 32 ahead
	logging bool  // the sequence shows logged for a moment
	stale   bool  // a checkpoint has begun: the next value is logged

	wal    []simRecord
	onDisk int // records

	life      int // counts crashes
	nextXID   uint64
	open      []*simTransaction // running, or committed and not visible
	rows      map[int64]string  // what is visible
	positions map[string]int64
	leases    map[string]bool // names that a session holds
}

// simRecord is a value of the sequence, or a commit.
type simRecord struct {
	sequence int64
	commit   *simTransaction
}

type simState int

const (
	simRunning   simState = iota
	simCommitted          // its record is in the log
	simVisible
	simAborted
)

type simTransaction struct {
	xid     uint64
	state   simState
	async   bool // visible before it is on disk
	changes []simChange
	record  int    // how many records there are with its commit
	locks   string // the row of the positions table that it has locked
	table   bool   // it has the lock of the positions table
	hangs   bool   // it takes long
}

type simChange struct {
	verb   gate.Verb
	writer string
	id     int64
}

func newSimDatabase(note func(string, ...any)) *simDatabase {
	return &simDatabase{
		note:    note,
		nextXID: 100, rows: map[int64]string{}, positions: map[string]int64{}, leases: map[string]bool{},
	}
}

// simLSN is the end of the n-th record.
func simLSN(n int) pglogrepl.LSN { return pglogrepl.LSN(1000 + 8*n) }

// simRecords is the inverse of simLSN.
func simRecords(lsn pglogrepl.LSN) int { return int(lsn-simLSN(0)) / 8 }

func (d *simDatabase) inserted() allocatortest.LSN { return allocatortest.LSN(simLSN(len(d.wal))) }
func (d *simDatabase) flushed() allocatortest.LSN  { return allocatortest.LSN(simLSN(d.onDisk)) }

// sequenceOnDisk is where the sequence would go on after a crash.
func (d *simDatabase) sequenceOnDisk() int64 {
	for i := d.onDisk - 1; i >= 0; i-- {
		if d.wal[i].commit == nil {
			return d.wal[i].sequence
		}
	}
	return 0
}

// nextval draws an id. Every 32 values it logs the value 32 ahead, which the
// sequence shows meanwhile.
func (d *simDatabase) nextval(p *simProcess) int64 {
	for d.logging {
		p.wait()
	}
	if d.last == d.logged || d.stale {
		d.logged, d.stale = d.last+1+32, false
		d.wal = append(d.wal, simRecord{sequence: d.logged})
		d.logging = true
		life := d.life
		defer func() { d.logging = d.logging && life != d.life }()
		p.sometimes()
	}
	d.last++
	return d.last
}

// lastValue is the lowest of three scans, each of which begins by waiting for
// whoever changes the sequence.
func (d *simDatabase) lastValue(p *simProcess) int64 {
	least := int64(math.MaxInt64)
	for range 3 {
		for d.logging {
			p.wait()
		}
		p.sometimes()
		if d.logging {
			least = min(least, d.logged)
		} else {
			least = min(least, d.last)
		}
	}
	return least
}

func (d *simDatabase) begin(hangs bool) *simTransaction {
	t := &simTransaction{xid: d.nextXID, hangs: hangs}
	d.nextXID++
	d.open = append(d.open, t)
	return t
}

func (d *simDatabase) commit(t *simTransaction) {
	d.wal = append(d.wal, simRecord{commit: t})
	t.state, t.record = simCommitted, len(d.wal)
	d.note("%d commits as record %d: %v", t.xid, t.record, t.changes)
}

// show makes a committed transaction visible, once it is on disk if it is to be.
func (d *simDatabase) show(t *simTransaction) {
	if !t.async {
		d.flush(t.record)
	}
	d.end(t, simVisible)
	d.apply(t)
	d.note("%d is visible, on disk are %d of %d", t.xid, d.onDisk, len(d.wal))
}

func (d *simDatabase) end(t *simTransaction, how simState) {
	t.state = how
	d.open = slices.DeleteFunc(d.open, func(o *simTransaction) bool { return o == t })
}

func (d *simDatabase) apply(t *simTransaction) {
	for _, c := range t.changes {
		switch c.verb {
		case gate.Inserted:
			d.rows[c.id] = c.writer
		case gate.Announced:
			d.positions[c.writer] = c.id
		case gate.Withdrawn:
			delete(d.positions, c.writer)
		}
	}
}

func (d *simDatabase) flush(records int) { d.onDisk = max(d.onDisk, records) }

// crash leaves what is on disk.
func (d *simDatabase) crash() {
	d.wal = d.wal[:d.onDisk]
	d.last = d.sequenceOnDisk()
	d.logged, d.stale, d.logging = d.last, false, false
	for len(d.open) > 0 {
		d.end(d.open[0], simAborted)
	}
	d.rows, d.positions, d.leases = map[int64]string{}, map[string]int64{}, map[string]bool{}
	d.nextXID = 100
	for _, r := range d.wal {
		if r.commit != nil {
			r.commit.state = simVisible
			d.apply(r.commit)
			d.nextXID = max(d.nextXID, r.commit.xid+1)
		}
	}
	d.life++
}

// lifeName tells one life of the server from the next.
func (d *simDatabase) lifeName() string { return fmt.Sprint("life ", d.life) }

// lockRow waits until no other transaction has the row of the positions table.
func (d *simDatabase) lockRow(p *simProcess, t *simTransaction, name string) {
	for slices.ContainsFunc(d.open, func(o *simTransaction) bool { return o != t && o.locks == name }) {
		p.wait()
	}
	t.locks = name
}

func (t *simTransaction) ended() bool { return t.state == simVisible || t.state == simAborted }

func (t *simTransaction) name() string { return fmt.Sprintf("3/%d", t.xid) }

// who lists the open transactions; those that have the lock of the positions
// table only, if table.
func (d *simDatabase) who(table bool) []string {
	var names []string
	for _, t := range d.open {
		if t.table || !table {
			names = append(names, t.name())
		}
	}
	return names
}

func (d *simDatabase) snapshot() gate.Snapshot {
	xmin := d.nextXID
	var running []string
	for _, t := range d.open {
		xmin = min(xmin, t.xid)
		running = append(running, fmt.Sprint(t.xid))
	}
	s, err := gate.ParseSnapshot(fmt.Sprintf("%d:%d:%s", xmin, d.nextXID, strings.Join(running, ",")))
	if err != nil {
		panic(err)
	}
	return s
}

func (d *simDatabase) visiblePositions() map[string]int64 { return maps.Clone(d.positions) }

// visibleRows are the ids of the rows beyond id, in order.
func (d *simDatabase) visibleRows(above int64) []int64 {
	var ids []int64
	for id := range d.rows {
		if id > above {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
