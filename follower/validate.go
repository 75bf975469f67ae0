package follower

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
)

// Defaults of Config.
const (
	DefaultApplicationName = "tidemark"
	DefaultPublication     = "tidemark"
	DefaultPositionsTable  = "public.stream_positions"
	DefaultWriter          = "main"
	DefaultReaderTimeout   = 30 * time.Second
)

// maxName is the longest stream name, in bytes.
const maxName = 200

// withDefaults returns a deep copy of c with every default filled in.
func (c Config) withDefaults() Config {
	c.ApplicationName = cmp.Or(c.ApplicationName, DefaultApplicationName)
	c.Publication = cmp.Or(c.Publication, DefaultPublication)
	c.PositionsTable = cmp.Or(c.PositionsTable, DefaultPositionsTable)
	if c.Slot.Name == "" && c.Slot.Kind == SlotTemporary {
		c.Slot.Name = temporaryName()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.ReaderTimeout = cmp.Or(c.ReaderTimeout, DefaultReaderTimeout)
	c.Readers = slices.Clone(c.Readers)
	c.Streams = slices.Clone(c.Streams)
	for i := range c.Streams {
		s := &c.Streams[i]
		s.Allocation = cmp.Or(s.Allocation, AllocationTransaction)
		s.Writers = slices.Clone(s.Writers)
		s.Tables = slices.Clone(s.Tables)
		for j := range s.Tables {
			s.Tables[j].Writer = cmp.Or(s.Tables[j].Writer, DefaultWriter)
		}
	}
	return c
}

// temporaryName is a slot name that no other process uses.
func temporaryName() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // it never fails: crypto/rand ends the program instead
	return "tidemark_" + hex.EncodeToString(b[:])
}

// validate reports every problem of c at once.
func (c Config) validate() error {
	var problems []error
	if c.Slot.Kind == SlotPermanent && c.Slot.Name == "" {
		problems = append(problems, errors.New("a permanent slot needs a name"))
	}
	if c.Slot.Standby != "" && c.Slot.Kind != SlotTemporary {
		problems = append(problems, errors.New("a slot on a standby must be a temporary one"))
	}
	if len(c.Streams) == 0 {
		problems = append(problems, errors.New("no stream is configured"))
	}
	seen := make(map[string]bool)
	for _, s := range c.Streams {
		if seen[s.Name] {
			problems = append(problems, fmt.Errorf("stream %q is configured twice", s.Name))
		}
		seen[s.Name] = true
		problems = append(problems, s.validate()...)
	}
	return errors.Join(problems...)
}

func (s StreamConfig) validate() []error {
	var problems []error
	wrong := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("stream %q: %w", s.Name, fmt.Errorf(format, args...)))
	}
	if s.Name == "" || len(s.Name) > maxName || !utf8.ValidString(s.Name) {
		wrong("its name must be 1 to %d bytes of UTF-8", maxName)
	}
	switch s.Allocation {
	case AllocationTransaction, AllocationAnnounced:
	default:
		wrong("allocation %q is neither %q nor %q", s.Allocation, AllocationTransaction, AllocationAnnounced)
	}
	if len(s.Tables) == 0 {
		wrong("it has no table")
	}
	for _, t := range s.Tables {
		if t.Name == "" || t.IDColumn == "" {
			wrong("a table needs a name and an id column")
		}
	}
	return problems
}

// spec is the configuration in the catalog's words.
func (c Config) spec() catalog.Spec {
	spec := catalog.Spec{
		Publication:     c.Publication,
		PositionsTable:  c.PositionsTable,
		ApplicationName: c.ApplicationName,
		Slot:            catalog.SlotSpec{Name: c.Slot.Name, Failover: c.Slot.Failover},
	}
	switch c.Slot.Kind {
	case SlotPermanent:
		spec.Slot.Kind = catalog.SlotPermanent
	case SlotNone:
		spec.Slot.Kind = catalog.SlotNone
	default:
		spec.Slot.Kind = catalog.SlotTemporary
	}
	for _, s := range c.Streams {
		stream := catalog.Stream{
			Name: s.Name, Announced: s.Allocation == AllocationAnnounced,
			Descending: s.Descending, Sequence: s.Sequence, Writers: s.Writers,
		}
		for _, t := range s.Tables {
			stream.Tables = append(stream.Tables, catalog.Table(t))
		}
		spec.Streams = append(spec.Streams, stream)
	}
	return spec
}
