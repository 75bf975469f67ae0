package tracker

import (
	"strings"
	"testing"
)

func TestNewNamesEveryProblem(t *testing.T) {
	tests := map[string]struct {
		config Config
		want   []string
	}{
		"good":           {Config{Stream: "é" + strings.Repeat("x", 198), Writers: []string{"", "a"}}, nil},
		"no name":        {Config{}, []string{"stream name"}},
		"long":           {Config{Stream: strings.Repeat("x", 201)}, []string{"1 to 200 bytes"}},
		"not text":       {Config{Stream: "a\xff"}, []string{"not UTF-8"}},
		"several wrongs": {Config{Writers: []string{"a", "b", "a", "a"}}, []string{"stream name", `writer "a" is listed twice`}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := New(tt.config)
			if (err == nil) != (tt.want == nil) {
				t.Fatalf("got %v", err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not name %q", err, part)
				}
			}
		})
	}
}

func TestNewKeepsACopyOfTheWriters(t *testing.T) {
	writers := []string{"a", "b"}
	tr := newTracker(t, Config{Writers: writers})
	writers[1] = "c"
	tr.Announce("a", 7)
	tr.Announce("c", 7)
	if p := tr.CurrentToken(); p != 0 {
		t.Errorf("P = %d while b has not announced", p)
	}
}
