package follower

import (
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestNewNamesEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := New(Config{
		Database: "postgres://u:secret@127.0.0.1:1/app",
		Slot:     SlotConfig{Kind: SlotPermanent, Standby: "host=127.0.0.1"},
		Streams: []StreamConfig{
			{Name: "a", Tables: []TableConfig{{Name: "events"}}},
			{Name: "a", Allocation: "guessed"},
			{Name: strings.Repeat("x", maxName+1), Tables: []TableConfig{{Name: "events", IDColumn: "id"}}},
			{Name: "\xff", Tables: []TableConfig{{Name: "events", IDColumn: "id"}}},
		},
	})
	if err == nil {
		t.Fatal("New takes it")
	}
	for _, want := range []string{
		"permanent slot needs a name", "a slot on a standby must be a temporary one", `stream "a" is configured twice`,
		`stream "a": a table needs a name and an id column`, `stream "a": allocation "guessed" is neither`,
		`stream "a": it has no table`, `stream "xxx`, `stream "\xff": its name must be`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the password shows:\n%v", err)
	}
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "no stream is configured") {
		t.Errorf("without a stream: %v", err)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{Streams: []StreamConfig{{Name: "a", Tables: []TableConfig{{}}}}}.withDefaults()
	if c.ApplicationName != DefaultApplicationName || c.Publication != DefaultPublication ||
		c.PositionsTable != DefaultPositionsTable || c.ReaderTimeout != DefaultReaderTimeout || c.Logger == nil {
		t.Errorf("%+v", c)
	}
	if s := c.Streams[0]; s.Allocation != AllocationTransaction || s.Tables[0].Writer != DefaultWriter {
		t.Errorf("%+v", s)
	}
	if other := (Config{}).withDefaults().Slot.Name; c.Slot.Name == "" || c.Slot.Name == other {
		t.Errorf("temporary slots are called %q and %q", c.Slot.Name, other)
	}
	if c := (Config{Slot: SlotConfig{Kind: SlotPermanent}}).withDefaults(); c.Slot.Name != "" {
		t.Errorf("a permanent slot is called %q by itself", c.Slot.Name)
	}
}

// Whatever is set stays what it is, and nothing is shared with the caller.
func TestDefaultsTakeNothingAway(t *testing.T) {
	t.Parallel()
	given := Config{
		Database: "d", ApplicationName: "n", Slot: SlotConfig{Kind: SlotPermanent, Name: "s", SkipAhead: 1},
		Publication: "p", PositionsTable: "t", Published: PublishedConfig{Table: "k", Notify: "c"},
		Readers: []string{"r"}, ReaderTimeout: time.Minute, ReaderPolicy: ReaderDrop, Logger: slog.New(slog.DiscardHandler),
		Streams: []StreamConfig{{
			Name: "a", Allocation: AllocationAnnounced, Writers: []string{"w"}, Tables: []TableConfig{{Name: "x", Writer: "y"}},
		}},
		PublishedFunc: func(string, time.Duration) {},
	}
	v := reflect.ValueOf(given)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Fatalf("set %s here too", v.Type().Field(i).Name)
		}
	}
	kept := given.withDefaults()
	given.PublishedFunc, kept.PublishedFunc = nil, nil // functions cannot be compared
	if !reflect.DeepEqual(given, kept) {
		t.Errorf("given %+v, kept %+v", given, kept)
	}
	kept.Readers[0], kept.Streams[0].Writers[0], kept.Streams[0].Tables[0].Name = "", "", ""
	if given.Readers[0] != "r" || given.Streams[0].Writers[0] != "w" || given.Streams[0].Tables[0].Name != "x" {
		t.Errorf("a copy shares memory: %+v", given)
	}
}
