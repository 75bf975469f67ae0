package decoder

import (
	"errors"
	"fmt"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// DefaultRelations bounds the relation cache when Config.Relations is 0.
	DefaultRelations = 1024

	// DefaultNames bounds the interned names when Config.Names is 0.
	DefaultNames = 4096
)

// Config bounds what a Decoder keeps. The zero value is good for nearly
// everybody.
type Config struct {
	// Relations is how many relation descriptions are kept, the least recently
	// used going first; 0 means DefaultRelations. A row of an evicted relation
	// is an error, because the server describes a relation once in a session,
	// so let it exceed the number of published tables, partitions counted unless
	// they are published via their root.
	Relations int

	// Names is how many names Intern keeps; 0 means DefaultNames. It should
	// exceed the number of writers that are active at a time: beyond it every
	// other row costs an allocation, nothing else.
	Names int
}

// Decoder decodes the messages of one replication session at a time, in the
// order they came. It is for one goroutine at a time. Make one with New.
type Decoder struct {
	relations *simplelru.LRU[uint32, *Relation]
	// last is the relation used last, hence the newest of relations: rows come
	// in runs of one table, and those need no look-up.
	last *Relation

	names names

	// open tells whether a transaction is; final is where its commit must be.
	open  bool
	final LSN

	event     Event
	truncated []Truncated

	failed *Error
}

// New returns a Decoder at the start of a session. The error names every field
// of the configuration that is negative.
func New(cfg Config) (*Decoder, error) {
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("configure decoder: %w", err)
	}
	if cfg.Relations == 0 {
		cfg.Relations = DefaultRelations
	}
	if cfg.Names == 0 {
		cfg.Names = DefaultNames
	}
	relations, err := simplelru.NewLRU[uint32, *Relation](cfg.Relations, nil)
	if err != nil {
		return nil, fmt.Errorf("make relation cache: %w", err)
	}
	names, err := newNames(cfg.Names)
	if err != nil {
		return nil, fmt.Errorf("make name cache: %w", err)
	}
	return &Decoder{relations: relations, names: names}, nil
}

func (c Config) validate() error {
	var errs []error
	if c.Relations < 0 {
		errs = append(errs, fmt.Errorf("negative Relations: %d", c.Relations))
	}
	if c.Names < 0 {
		errs = append(errs, fmt.Errorf("negative Names: %d", c.Names))
	}
	return errors.Join(errs...)
}

// Reset prepares for a new session: relations, an open transaction and the
// error are forgotten. Interned names are kept.
func (d *Decoder) Reset() {
	d.relations.Purge()
	d.last = nil
	d.open, d.final = false, 0
	d.event = Event{}
	d.truncated = nil
	d.failed = nil
}

// Decode decodes one message: the payload of one XLogData. The Event points
// into msg and is valid until the next call. Every error is an *Error, and is
// returned again by every call until Reset.
func (d *Decoder) Decode(msg []byte) (*Event, error) {
	if d.failed != nil {
		return nil, d.failed
	}
	r := reader{msg: msg}
	if len(msg) > 0 && msg[0] == 'I' { // nearly every message is one
		r.off = 1
		d.insert(&r)
	} else {
		d.message(&r)
	}
	if r.err == nil && r.off == len(msg) {
		return &d.event, nil
	}
	r.end()
	d.failed = r.err
	return nil, d.failed
}

// message reads any message but an insert into d.event.
func (d *Decoder) message(r *reader) {
	if len(r.msg) == 0 {
		r.fail(ErrMalformed, 0, "empty")
		return
	}
	r.off = 1
	switch b := r.msg[0]; b {
	case 'U':
		d.update(r)
	case 'D':
		d.delete(r)
	case 'B':
		d.begin(r)
	case 'C':
		d.commit(r)
	case 'R':
		d.relation(r)
	case 'T':
		d.truncate(r)
	case 'Y':
		d.typeName(r)
	case 'O':
		d.origin(r)
	case 'M':
		d.logicalMessage(r)
	default:
		unsupported(r, b)
	}
}

func unsupported(r *reader, b byte) {
	if laterMessageName(b) != "" {
		r.fail(ErrUnsupported, 0, "belongs to a later protocol version, only version 1 is read")
		return
	}
	r.fail(ErrUnsupported, 0, "unknown message type 0x%02x", b)
}

// start returns the event, all zero but for its kind or left over from the same
// kind: parsers set every field of their kind. So a run of rows clears nothing.
func (d *Decoder) start(k Kind) *Event {
	if d.event.Kind != k {
		d.event = Event{Kind: k}
	}
	return &d.event
}

// inTransaction fails unless a transaction is open.
func (d *Decoder) inTransaction(r *reader) {
	if !d.open {
		r.fail(ErrSequence, 0, "outside a transaction")
	}
}
