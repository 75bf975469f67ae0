package server_test

import (
	"errors"
	"testing"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

func TestOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"one":                               "one",
		"connect:\n\ta: no\n\ta: no\n\tb\n": "connect: a: no; b",
		"a \r\n\n  b":                       "a; b",
	} {
		if got := server.OneLine(errors.New(in)); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
