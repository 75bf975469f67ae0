package session

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/gate"
)

type phases []Phase

func (*phases) Visible([]gate.Commit, pglogrepl.LSN)    {}
func (*phases) Passed(pglogrepl.LSN)                    {}
func (*phases) Jumped(context.Context, *pgx.Conn) error { return nil }
func (p *phases) Phase(now Phase)                       { *p = append(*p, now) }

// A slot that skips for long says so every second, and logs it now and then.
func TestSkippingTellsForHowLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told phases
		s := &session{Config: Config{Slot: Slot{Name: "tidemark"}, Receiver: &told}}
		stop := s.tellSkip(t.Context(), 3<<30, time.Now())
		time.Sleep(21*time.Second + time.Millisecond)
		stop()
		time.Sleep(time.Minute)
		if len(told) != 22 {
			t.Fatalf("told %d times in 21 s: %+v", len(told), told)
		}
		var logged []string
		for _, p := range told {
			if p.Step != Skipping {
				t.Errorf("told of step %d", p.Step)
			}
			if !p.Again {
				logged = append(logged, p.Detail)
			}
		}
		want := []string{
			`slot "tidemark" skips 3 GiB of WAL`,
			`slot "tidemark" skips 3 GiB of WAL, for 10 s so far`,
			`slot "tidemark" skips 3 GiB of WAL, for 20 s so far`,
		}
		if !slices.Equal(logged, want) {
			t.Errorf("logged %q, want %q", logged, want)
		}
		if got := told[7].Detail; got != `slot "tidemark" skips 3 GiB of WAL, for 7 s so far` {
			t.Errorf("after 7 s: %s", got)
		}
	})
}
