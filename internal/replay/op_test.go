package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// op is one operation of a scenario or a history; see the package's testdata.
type op struct {
	Op string `json:"op"`

	Tables []string `json:"tables"`
	SQL    string   `json:"sql"`
	Args   []any    `json:"args"`

	Table       string   `json:"table"`
	Rows        [][2]any `json:"rows"` // id, instance
	Instance    string   `json:"instance"`
	N           int      `json:"n"`
	UpdateTable *bool    `json:"update_stream_table"` // nil means true
	ID          int64    `json:"id"`
	Setval      bool     `json:"setval"`

	Name     string   `json:"name"`
	Writers  []string `json:"writers"`
	Positive *bool    `json:"positive"` // nil means true

	Gen     string  `json:"gen"`
	Handle  string  `json:"handle"`
	Success *bool   `json:"success"` // nil means true
	Txn     string  `json:"txn"`
	Writer  string  `json:"writer"`
	WantIDs []int64 `json:"want_ids"`

	told map[string]int64 // what replication passed on of each generator; nil: what the model says
}

func orTrue(b *bool) bool { return b == nil || *b }

func (o *op) sign() int64 {
	if orTrue(o.Positive) {
		return 1
	}
	return -1
}

// state is what a generator says.
type state struct {
	Current   int64            `json:"current_token"`
	Persisted int64            `json:"persisted_upto"`
	Minimal   int64            `json:"minimal_local"`
	Positions map[string]int64 `json:"positions"`
	Tokens    map[string]int64 `json:"tokens"`
	Notifies  int              `json:"notifies"` // not compared
}

// result is what an operation gave.
type result struct {
	OK    bool            `json:"ok"`
	IDs   []int64         `json:"ids"`
	Value int64           `json:"value"`
	Rows  [][]any         `json:"rows"`
	Error json.RawMessage `json:"error"`

	// Not compared: names of what was made.
	Name, Handle, Txn string
	Result            string
	Attempts          int
	Suppressed        bool
}

// line is one line of a history.
type line struct {
	Op     op               `json:"op"`
	Result result           `json:"result"`
	States map[string]state `json:"states"`
}

// step is one step of a scenario: an operation or an expectation.
type step struct {
	op
	Expect    string           `json:"expect"`
	Positions map[string]int64 `json:"positions"`
	Tok       map[string]int64 `json:"tok"`
	Upto      *int64           `json:"upto"`
	Cur       *int64           `json:"cur"`
	MinLocal  *int64           `json:"minlocal"`
}

// strictly decodes JSON; a field that is not known here is an error: what it
// asks for would go unasked.
func strictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func scenarios(t *testing.T) map[string][]step {
	t.Helper()
	data, err := os.ReadFile("testdata/scenarios.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][]step
	if err := strictly(data, &all); err != nil {
		t.Fatalf("read scenarios: %v", err)
	}
	return all
}

// history is a recorded one; lines count from 1 in messages.
type history struct {
	name  string
	lines []line
}

func histories(t *testing.T) []history {
	t.Helper()
	files, err := filepath.Glob("testdata/traces/*.jsonl.gz")
	if err != nil || len(files) == 0 {
		t.Fatalf("no histories: %v", err)
	}
	all := make([]history, len(files))
	for i, file := range files {
		lines, err := readHistory(file)
		if err != nil {
			t.Fatalf("read %s: %v", file, err)
		}
		all[i] = history{strings.TrimSuffix(filepath.Base(file), ".jsonl.gz"), lines}
	}
	return all
}

func readHistory(file string) ([]line, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var lines []line
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var l line
		if err := strictly(s.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("line %d: %w", len(lines)+1, err)
		}
		lines = append(lines, l)
	}
	return lines, s.Err()
}

func TestUnknownFieldsAreRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"expect":"a","minglobal":3}`, `{"op":"new","sharded":true}`} {
		var s step
		if err := strictly([]byte(text), &s); err == nil {
			t.Errorf("%s was taken as %+v", text, s)
		}
	}
}

// equal compares what is compared.
func (s state) equal(other state) bool {
	return s.Current == other.Current && s.Persisted == other.Persisted && s.Minimal == other.Minimal &&
		maps.Equal(s.Positions, other.Positions) && maps.Equal(s.Tokens, other.Tokens)
}
