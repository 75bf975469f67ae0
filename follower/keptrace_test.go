package follower_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// Daemons that start together, where none was before, agree on the epoch: a
// reader of the table would see it change with each takeover, and come back.
func TestDaemonsThatStartTogetherShareTheEpoch(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	var all []*follower.Stream
	for range 6 {
		_, s := b.follow(keptConfig(b.url))
		all = append(all, s)
	}
	first := b.await(all[0], "a position", func(st follower.Status) bool { return st.Known }).Epoch
	for _, s := range all {
		st := b.await(s, "a position", func(st follower.Status) bool { return st.Known })
		if st.Epoch != first {
			t.Errorf("epochs %s and %s of one history", first, st.Epoch)
		}
	}
}
