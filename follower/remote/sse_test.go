package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// readAll reads every event of src as "kind|data".
func readAll(src io.Reader) (events []string, last *eventReader, err error) {
	r := newEventReader(src)
	for {
		e, err := r.next()
		if err != nil {
			return events, r, err
		}
		events = append(events, e.kind+"|"+string(e.data))
	}
}

func TestEvents(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"nothing":                       {"", ""},
		"one":                           {"event: position\nid: 7\ndata: {}\n\n", "position|{}"},
		"CRLF":                          {"event: a\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", "a|1 |2"},
		"CR":                            {"event: a\rdata: 1\r\rdata: 2\r\r", "a|1 |2"},
		"mixed ends":                    {"event: a\rdata: 1\r\n\ndata: 2\n\r\n", "a|1 |2"},
		"CR LF CR LF is two ends":       {"data: 1\r\n\r\n\r\n", "|1"},
		"several data lines":            {"data: 1\ndata\ndata:2\n\n", "|1\n\n2"},
		"one space is taken":            {"data:  1 \n\n", "| 1 "},
		"comments":                      {": tidemark\n\n:\ndata: 1\n: heartbeat\n\n", "|1"},
		"fields without data":           {"event: a\nid: 3\n\ndata: 1\n\n", "|1"},
		"empty data":                    {"data\n\n", "|"},
		"unknown fields":                {"datas: x\n data: x\nfoo\ndata: 1\n\n", "|1"},
		"a byte order mark":             {"\xEF\xBB\xBFdata: 1\n\n\xEF\xBB\xBFdata: 2\n\n", "|1"},
		"an event that has not ended":   {"data: 1\n\ndata: 2\n", "|1"},
		"a colon in the data":           {"data: a: b\n\n", "|a: b"},
		"the last type counts":          {"event: a\nevent: b\ndata: 1\n\n", "b|1"},
		"invalid UTF-8 is passed on":    {"data: \xff\n\n", "|\xff"},
		"a zero byte is like any other": {"data: \x00\n\n", "|\x00"},
	} {
		for split, src := range map[string]io.Reader{
			"whole": strings.NewReader(c.text), "bytes": iotest.OneByteReader(strings.NewReader(c.text)),
			"halves": iotest.HalfReader(strings.NewReader(c.text)), "end with data": iotest.DataErrReader(strings.NewReader(c.text)),
		} {
			got, _, err := readAll(src)
			if strings.Join(got, " ") != c.want || !errors.Is(err, io.EOF) {
				t.Errorf("%s, %s: %q, %v, want %q", name, split, got, err, c.want)
			}
		}
	}
}

// An event counts as soon as its last line ends: what may follow a CR is not
// waited for.
func TestEventIsCompleteBeforeWhatFollows(t *testing.T) {
	in, out := io.Pipe()
	defer in.Close()
	go func() { _, _ = out.Write([]byte("data: 1\r\n\r")) }()
	r := newEventReader(in)
	if e, err := r.next(); err != nil || string(e.data) != "1" {
		t.Errorf("%q, %v", e.data, err)
	}
}

func TestRetryAndID(t *testing.T) {
	_, r, _ := readAll(strings.NewReader("retry: 1500\nid: -12\n\nretry: soon\nretry: -1\nretry: 99999999999999999999\nid: x\r\nid: 1\x00\nid:\n\n"))
	if r.retry != 1500*time.Millisecond || r.lastID != "-12" {
		t.Errorf("retry %s, id %q", r.retry, r.lastID)
	}
	if _, r, _ = readAll(strings.NewReader("data: 1\n\n")); r.retry >= 0 || r.lastID != "" {
		t.Errorf("without: retry %s, id %q", r.retry, r.lastID)
	}
}

// endless repeats a text for ever.
type endless struct {
	text string
	at   int
}

func (e *endless) Read(p []byte) (n int, err error) {
	for n < len(p) {
		c := copy(p[n:], e.text[e.at:])
		n, e.at = n+c, (e.at+c)%len(e.text)
	}
	return n, nil
}

func TestTooLarge(t *testing.T) {
	for name, src := range map[string]io.Reader{
		"a line":    &endless{text: "x"},
		"a comment": io.MultiReader(strings.NewReader(":"), &endless{text: "x"}),
		"data":      &endless{text: "data: " + strings.Repeat("x", 1000) + "\n"},
		"no data":   &endless{text: "data\n"},
	} {
		if _, _, err := readAll(src); !errors.Is(err, errTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := readAll(nothing{}); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a reader that gives nothing: %v", err)
	}
	largest := "data:" + strings.Repeat("x", maxEvent-10) + "\n\n"
	if got, _, err := readAll(strings.NewReader(largest)); len(got) != 1 || !errors.Is(err, io.EOF) {
		t.Errorf("a large event: %d, %v", len(got), err)
	}
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// Buffers that a large event needed are given back.
func TestLargeBuffersAreNotKept(t *testing.T) {
	r := newEventReader(strings.NewReader("data:" + strings.Repeat("x", 1<<20) + "\n\ndata: 1\n\n"))
	for range 2 {
		if _, err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	if cap(r.data) > maxKept || cap(r.line) > maxKept {
		t.Errorf("%d and %d bytes are kept", cap(r.data), cap(r.line))
	}
}

// plainly reads events in the slow and obvious way.
func plainly(text string) (events []string) {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(text, "\n")
	if len(lines) > 1 {
		lines[0] = strings.TrimPrefix(lines[0], "\xEF\xBB\xBF")
	}
	kind, data := "", []string(nil)
	for _, line := range lines[:len(lines)-1] { // the last has no end
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case line == "":
			if data != nil {
				events = append(events, kind+"|"+strings.Join(data, "\n"))
			}
			kind, data = "", nil
		case name == "data":
			data = append(data, value)
		case name == "event":
			kind = value[:min(len(value), maxKind)]
		}
	}
	return events
}

func FuzzSSE(f *testing.F) {
	for _, seed := range []string{
		": tidemark\nretry: 1000\n\nevent: position\nid: 5\ndata: {\"stream\":\"events\",\"position\":5,\"writers\":{},\"epoch\":\"7/1/0\",\"lsn\":\"0/8\"}\n\n",
		"event: state\r\ndata: {\"stream\":\"events\",\"state\":\"halted\",\"reason\":\"x\"}\r\n\r\n",
		"data\rdata\r\rdata: 1\n\r\n", "\xEF\xBB\xBF\n\xEF\xBB\xBFdata:1\n\n", ":\n:\r:\r\n\n", "event:a\ndata\n\nretry:1\x00\n", "id: \x00\ndata: \xff\n\n",
		"event: position\ndata: {\"stream\":\"events\",\"position\":-9223372036854775808,\"writers\":{\"\":9223372036854775807},\"epoch\":\"1/1/FFFFFFFFFFFFFFFF~3/1.2\"}\n\n",
	} {
		f.Add(seed, 3)
	}
	f.Fuzz(func(t *testing.T, text string, step int) {
		want := plainly(text)
		for _, src := range []io.Reader{strings.NewReader(text), &stepped{text: text, step: 1 + step&15}} {
			got, _, err := readAll(src)
			if fmt.Sprint(got) != fmt.Sprint(want) || !errors.Is(err, io.EOF) {
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
		}
		digest(t, text)
	})
}

// stepped gives a few bytes at a time.
type stepped struct {
	text string
	step int
}

func (s *stepped) Read(p []byte) (int, error) {
	n := copy(p, s.text[:min(s.step, len(s.text))])
	if s.text = s.text[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// digest has a stream take whatever the events say: nothing of it panics, and
// within an epoch the position never goes back.
func digest(t *testing.T, text string) {
	t.Helper()
	f, err := New(Config{URLs: []string{"http://127.0.0.1:1"}, Streams: []string{"events"}})
	if err != nil {
		t.Fatal(err)
	}
	s, _ := f.Stream("events")
	r := newEventReader(bytes.NewReader([]byte(text)))
	for e, err := r.next(); err == nil; e, err = r.next() {
		m, err := f.readEvent(e)
		if err != nil || m == nil {
			continue
		}
		before := s.Status()
		_ = s.take(m, nil, time.Now()) // a stale epoch is one of the answers
		after := s.Status()
		if before.Known && before.Epoch == after.Epoch && magnitude(after.Position) < magnitude(before.Position) {
			t.Fatalf("back from %d to %d", before.Position, after.Position)
		}
	}
}

func magnitude(id int64) uint64 {
	if id < 0 {
		return -uint64(id)
	}
	return uint64(id)
}
