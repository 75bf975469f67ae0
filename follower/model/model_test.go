// Package model_test has spin look at every interleaving of small instances of
// the protocol: as it is it keeps its promise, and each known mistake breaks it.
package model_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	transaction = "transaction.pml"
	announced   = "announced.pml"
)

// run is one search: a model, a mistake in it ("" for none), and its bounds.
type run struct {
	model, mistake string
	bounds         []string
}

// runs are all searches. Not everything has to happen in one of them: the
// bounds keep each exhaustive within a minute or so.
func runs() []run {
	return []run{
		{transaction, "", []string{"TXS=3", "IDS=3"}},
		{transaction, "", []string{"IDS=3", "CRASHES=1", "PREPARES=1", "RESTARTS=1", "CHECKPOINTS=1"}},
		{transaction, "", []string{"IDS=4", "CRASHES=1"}},
		{transaction, "NO_GATE", nil},
		{transaction, "LOCKS_FIRST", nil},
		{transaction, "IGNORE_IS_CALLED", nil},
		{transaction, "BY_PID", []string{"PREPARES=1"}},
		{transaction, "KEEP_FENCES", []string{"CRASHES=1", "PREPARES=1"}},
		{transaction, "NO_FLUSH", []string{"CRASHES=1"}},
		{transaction, "LSN_FIRST", []string{"CRASHES=1"}},
		{transaction, "ONE_SCAN", nil},
		{transaction, "TWO_SCANS", []string{"CHECKPOINTS=1"}},
		{transaction, "ADVANCE", nil},
		{transaction, "SEEN_AT_START", nil},
		{transaction, "NEVER_THERE", []string{"CRASHES=1", "RESTARTS=1", "PREPARES=1"}},
		{announced, "", []string{"IDS=2", "COMMITS=5"}},
		{announced, "", []string{"IDS=2", "COMMITS=4", "OWN=1"}},
		{announced, "", []string{"IDS=2", "COMMITS=4", "SESSIONS=2"}},
		{announced, "", []string{"IDS=2", "COMMITS=4", "LEAVES=1"}},
		{announced, "", []string{"IDS=1", "COMMITS=5", "LEAVES=1", "HANGING=1"}},
		{announced, "UNREGISTERED", []string{"IDS=2", "COMMITS=4"}},
		{announced, "OWN_AT_ONCE", []string{"IDS=2", "COMMITS=4", "OWN=1"}},
		{announced, "NO_ORDER", []string{"IDS=2", "COMMITS=4"}},
		{announced, "NO_GATE", []string{"IDS=2", "COMMITS=4"}},
		{announced, "NO_HOLDERS", []string{"IDS=2", "COMMITS=4"}},
		{announced, "SLOT_LAST", []string{"IDS=2", "COMMITS=4"}},
		{announced, "HOLDERS_LAST", []string{"IDS=2", "COMMITS=4"}},
		{announced, "DRAWN_LAST", []string{"IDS=2", "COMMITS=4"}},
		{announced, "DONE_ID", []string{"IDS=2", "COMMITS=4"}},
		{announced, "LOADED_BY_LSN", []string{"IDS=2", "COMMITS=4", "LEAVES=1"}},
		{announced, "TORN", []string{"IDS=1", "COMMITS=5", "LEAVES=1", "HANGING=1"}},
		{announced, "NEVER_THERE", []string{"IDS=2", "COMMITS=5", "SESSIONS=2"}},
	}
}

// skip leaves the searches to make model: they need spin and a minute or two.
func skip(t *testing.T) {
	t.Helper()
	if os.Getenv("TIDEMARK_MODEL") == "" {
		t.Skip("make model runs the models")
	}
	for _, tool := range []string{"spin", "cc"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing (Debian, Ubuntu: apt-get install spin gcc; macOS: brew install spin): %v", tool, err)
		}
	}
}

func TestTheProtocolKeepsItsPromise(t *testing.T) {
	skip(t)
	for _, r := range runs() {
		if r.mistake != "" {
			continue
		}
		t.Run(r.name(), func(t *testing.T) {
			found := r.search(t)
			if found.story != "" {
				t.Fatalf("the promise is broken:\n%s", found.story)
			}
			if found.cut {
				t.Fatalf("the search is not exhaustive: raise its limits, or lower the bounds\n%s", found.said)
			}
			report(r, "verified", found)
		})
	}
}

func TestEachMistakeBreaksIt(t *testing.T) {
	skip(t)
	for _, r := range runs() {
		if r.mistake == "" {
			continue
		}
		t.Run(r.name(), func(t *testing.T) {
			found := r.search(t)
			if !strings.Contains(found.said, "assertion violated") {
				t.Fatalf("nothing is lost: the model does not show the mistake any more\n%s", found.said)
			}
			t.Logf("how %s ends:\n%s", r.mistake, found.story)
			report(r, "breaks it, as it must", found)
		})
	}
}

// The models name the mistakes that they can make. None may be left out here.
func TestEveryMistakeIsTried(t *testing.T) {
	named := regexp.MustCompile(`(?m)^ \*     ([A-Z][A-Z_]+)  `)
	for _, model := range []string{transaction, announced} {
		text, err := os.ReadFile(model)
		if err != nil {
			t.Fatal(err)
		}
		mistakes := named.FindAllStringSubmatch(string(text), -1)
		if len(mistakes) == 0 {
			t.Fatalf("%s names no mistake", model)
		}
		for _, m := range mistakes {
			tried := slices.ContainsFunc(runs(), func(r run) bool { return r.model == model && r.mistake == m[1] })
			if !tried {
				t.Errorf("%s: %s is not tried", model, m[1])
			}
			if !regexp.MustCompile(`(?m)^#(if|elif|ifdef|ifndef)\b.*\b` + m[1] + `\b`).Match(text) {
				t.Errorf("%s: %s is named and means nothing", model, m[1])
			}
		}
	}
}

// report prints a line for each search, also where tests are not verbose.
func report(r run, verdict string, f finding) {
	fmt.Printf("%-16s %-17s %-22s %9s states %6.1f s  %s\n", strings.TrimSuffix(r.model, ".pml"),
		r.mistake, verdict, f.states, f.took.Seconds(), strings.Join(r.bounds, " "))
}

func (r run) name() string {
	what := r.mistake
	if what == "" {
		what = "as it is"
	}
	return strings.TrimSuffix(r.model, ".pml") + "/" + what + " " + strings.Join(r.bounds, " ")
}

func (r run) defines() []string {
	var all []string
	for _, b := range r.bounds {
		all = append(all, "-D"+b)
	}
	if r.mistake != "" {
		all = append(all, "-D"+r.mistake)
	}
	return all
}

// finding is what one search came to.
type finding struct {
	story  string // of the shortest way to break the promise; "" where there is none
	states string // how many were looked at
	cut    bool   // some were not looked at
	said   string // by the verifier
	took   time.Duration
}

// states is where the verifier says how many it has looked at.
var states = regexp.MustCompile(`(\d+) states, stored`)

// search looks through everything that can happen. A mistake is searched for
// in breadth, so that what is found is a shortest story.
func (r run) search(t *testing.T) finding {
	t.Helper()
	dir := t.TempDir()
	model, err := filepath.Abs(r.model)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	command(t, dir, "spin", append(append([]string{"-a"}, r.defines()...), model)...)
	options := []string{"-w", "-O2", "-DSAFETY", "-DMEMLIM=3000", "-o", "pan", "pan.c"}
	if r.mistake != "" {
		options = append(options, "-DBFS")
	}
	command(t, dir, "cc", options...)
	// -E: a state in which nothing more can happen is no error here.
	said := command(t, dir, filepath.Join(dir, "pan"), "-E", "-w24", "-m100000")
	f := finding{said: said, took: time.Since(began)}
	if m := states.FindStringSubmatch(said); m != nil {
		f.states = m[1]
	}
	f.cut = f.states == "" || !strings.Contains(said, "errors: 0") ||
		strings.Contains(said, "Search not completed") || strings.Contains(said, "too small")
	if trails, _ := filepath.Glob(filepath.Join(dir, "*.trail")); len(trails) > 0 {
		replay := append([]string{"-T", "-B", "-k", trails[0], "-t"}, r.defines()...)
		f.story = command(t, dir, "spin", append(replay, model)...)
	}
	return f
}

// command runs one of the tools, whose exit codes mean little, and returns
// what it said.
func command(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s: %v", name, ctx.Err())
	}
	if err != nil && (name == "cc" || bytes.Contains(out, []byte("Error:")) && len(args) > 0 && args[0] == "-a") {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}
