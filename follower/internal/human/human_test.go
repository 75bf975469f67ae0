package human_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower/internal/human"
)

const mib = 1 << 20

func TestSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1 KiB", 1536: "1.5 KiB", 64 * mib: "64 MiB", 64*mib - 1: "64 MiB",
		mib - 1: "1 MiB", -2048: "-2 KiB", 5 << 40: "5 TiB", 1<<63 - 1: "8 EiB",
	} {
		if got := human.Size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
