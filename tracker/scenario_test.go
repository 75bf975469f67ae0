package tracker

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestScenarios runs the stories in testdata/scenarios. Commands:
//
//	new [descending] [writers=(a,b)]   a fresh tracker
//	do                                 one action a line, the state after each:
//	  observe WRITER ID[..ID] · settle ID · announce WRITER ID
//	  advance WRITER ID · forget WRITER · close
//	  wait NAME ID · wait NAME ID WRITER
//	apply                              verbs as in do, all at once
//	tokens WRITER…                     what the reads say of each writer
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		s := &scenario{}
		datadriven.RunTest(t, path, s.run)
	})
}

type scenario struct {
	t       *Tracker
	waiters map[string]*waiter
}

func (s *scenario) run(t *testing.T, d *datadriven.TestData) string {
	switch d.Cmd {
	case "new":
		return s.start(t, d)
	case "do":
		return eachLine(d, s.do)
	case "apply":
		return s.apply(d)
	case "tokens":
		return s.tokens(d)
	default:
		d.Fatalf(t, "unknown command %s", d.Cmd)
		return ""
	}
}

func (s *scenario) start(t *testing.T, d *datadriven.TestData) string {
	c := Config{Stream: "events", Descending: d.HasArg("descending")}
	if arg, ok := d.Arg("writers"); ok {
		c.Writers = arg.Vals
	}
	s.t, s.waiters = newTracker(t, c), map[string]*waiter{}
	return s.describe()
}

func eachLine(d *datadriven.TestData, do func(string) string) string {
	var out strings.Builder
	for line := range strings.Lines(d.Input) {
		line = strings.TrimSpace(line)
		fmt.Fprintf(&out, "%-18s %s\n", line, do(line))
	}
	return out.String()
}

func (s *scenario) do(line string) string {
	f := strings.Fields(line)
	moved := false
	switch f[0] {
	case "wait":
		return s.wait(f[1:])
	case "close":
		s.t.Close(nil)
	default:
		moved = s.verb(parseEvent(f))
	}
	out := "stays " + s.describe()
	if moved {
		out = "moves " + s.describe()
	}
	return out + s.woken()
}

// verb goes through the method, not through Apply, where there is one.
func (s *scenario) verb(e Event) bool {
	switch {
	case e.Verb == VerbObserve && e.From == e.To:
		return s.t.Observe(e.Writer, e.To)
	case e.Verb == VerbSettle:
		return s.t.Settle(e.To)
	case e.Verb == VerbAnnounce:
		return s.t.Announce(e.Writer, e.To)
	case e.Verb == VerbAdvance:
		return s.t.Advance(e.Writer, e.To)
	case e.Verb == VerbForget:
		return s.t.Forget(e.Writer)
	default:
		return s.t.Apply([]Event{e})
	}
}

func parseEvent(f []string) Event {
	verbs := map[string]Verb{}
	for v := VerbObserve; v <= VerbComplete; v++ {
		verbs[v.String()] = v
	}
	e := Event{Verb: verbs[f[0]]}
	rest := f[1:]
	if e.Verb != VerbSettle {
		e.Writer, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		from, to, isRun := strings.Cut(rest[0], "..")
		if !isRun {
			to = from
		}
		e.From, e.To = parseID(from), parseID(to)
	}
	return e
}

func parseID(s string) int64 {
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return id
}

func (s *scenario) apply(d *datadriven.TestData) string {
	var events []Event
	for line := range strings.Lines(d.Input) {
		events = append(events, parseEvent(strings.Fields(line)))
	}
	if s.t.Apply(events) {
		return "moves " + s.describe() + s.woken()
	}
	return "stays " + s.describe() + s.woken()
}

func (s *scenario) wait(args []string) string {
	w := &waiter{target: s.t.inward(parseID(args[1]))}
	if len(args) > 2 {
		w.writer, w.forWriter = args[2], true
	}
	switch waiting, err := s.t.enlist(w); {
	case err != nil:
		return err.Error()
	case !waiting:
		return "reached"
	}
	s.waiters[args[0]] = w
	return "waits"
}

func (s *scenario) woken() string {
	out := ""
	for _, name := range slices.Sorted(maps.Keys(s.waiters)) {
		select {
		case <-s.waiters[name].ready:
			out += fmt.Sprintf("; wakes %s", name)
			if err := s.waiters[name].err; err != nil {
				out += fmt.Sprintf(" (%v)", err)
			}
			delete(s.waiters, name)
		default:
		}
	}
	return out
}

func (s *scenario) tokens(d *datadriven.TestData) string {
	var out strings.Builder
	for _, arg := range d.CmdArgs {
		w := arg.Key
		fmt.Fprintf(&out, "%s: current=%d minimal=%d\n", w, s.t.CurrentTokenForWriter(w), s.t.MinimalLocalToken(w))
	}
	next, newest, gap := s.t.Unsettled()
	fmt.Fprintf(&out, "next=%d newest=%d gap=%t\n", next, newest, gap)
	return out.String()
}

// describe shows P, the runs above it and the writers' positions.
func (s *scenario) describe() string {
	var above []string
	for _, c := range s.t.mu.runs.chunks {
		for _, r := range c.runs[:c.n] {
			text := strconv.FormatInt(s.t.outward(r.from), 10)
			if r.to > r.from {
				text += ".." + strconv.FormatInt(s.t.outward(r.to), 10)
			}
			above = append(above, text)
		}
	}
	positions := s.t.Positions()
	var writers []string
	for _, name := range slices.Sorted(maps.Keys(positions)) {
		writers = append(writers, fmt.Sprintf("%s:%d", name, positions[name]))
	}
	return fmt.Sprintf("P=%d above=%v writers=%v", s.t.CurrentToken(), above, writers)
}
