package cli

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/client"
)

func TestTable(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	since := now.Add(-90 * time.Second)
	streams := []client.Stream{
		{
			Name: "events", State: follower.StateFollowing, Position: new(int64(41)), Allocated: new(int64(1044)),
			HeldBy: []follower.Holder{
				{PID: new(int32(7)), ApplicationName: new("a\x1b[2Jb"), User: new("bob"), State: new("idle in transaction"), Since: &since},
				{GID: new("tx 1"), User: new("bob"), State: new("prepared"), Since: &since},
				{Writer: new("w\n")},
				{ApplicationName: new("127.0.0.1:5433/app"), State: new(follower.HolderStandby), Since: &since},
				{},
			},
		},
		{Name: "back\nward", State: follower.StateHalted, Reason: "table x is\nmissing", Position: new(int64(-3)), Allocated: new(int64(-5))},
		{Name: "new", State: follower.StateStarting},
	}
	want := `STREAM     STATE      POSITION  ALLOCATED  BEHIND
events     following  41        1044       1003
    held by pid 7 (a [2Jb) of bob, idle in transaction, for 1m30s
    held by prepared transaction "tx 1" of bob, for 1m30s
    held by writer "w\n", which has not announced more
    held by standby 127.0.0.1:5433/app, which has not replayed so far, for 1m30s
    held by an open transaction
back ward  halted     -3        -5         2
    reason: table x is missing
new        starting   -         -          -
`
	if diff := cmp.Diff(want, table(streams, now)); diff != "" {
		t.Error(diff)
	}
	if got := table(nil, now); got != "STREAM  STATE  POSITION  ALLOCATED  BEHIND\n" {
		t.Errorf("no streams: %q", got)
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"one":                              "one",
		"connect:\n\ta: no\n\ta: no\n\tb":  "connect: a: no; b",
		"first\nsecond\n":                  "first; second",
		"a\r\nb\x1b[31m\u202e":             "a; b [31m ",
		"two lines\n\nand an empty one: x": "two lines; and an empty one: x",
	} {
		if got := printable(oneLine(errors.New(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
