package follower_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// A table that cannot be used when a follower starts keeps nothing from being
// published, and is used once it can be.
func TestATableThatComesLaterIsUsed(t *testing.T) {
	t.Parallel()
	b := newBed(t, events)
	_, s := b.follow(keptConfig(b.url))
	b.following(s)
	b.reach(s, b.insert(b.sql, "a"))
	b.exec(strings.TrimPrefix(keptSchema, events+";"))
	b.until("there is a row", "SELECT count(*) = 1 FROM tidemark_positions")
	id := b.insert(b.sql, "a")
	b.reach(s, id)
	b.until("the position is kept", "SELECT position = $1 FROM tidemark_positions", id)
	b.until("under the stream's epoch", "SELECT epoch = $1 FROM tidemark_positions", s.Epoch())
}

func TestATableThatIsLockedAtTheStartIsUsedLater(t *testing.T) {
	t.Parallel()
	b := newBed(t, keptSchema)
	holder := b.connect()
	_, err := holder.Exec(t.Context(), "BEGIN; LOCK tidemark_positions")
	b.ok(err)
	began := time.Now()
	_, s := b.follow(keptConfig(b.url))
	b.await(s, "published", func(st follower.Status) bool { return st.Known })
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("a locked table kept positions from being published for %s", took)
	}
	b.reach(s, b.insert(b.sql, "a"))
	_, err = holder.Exec(t.Context(), "COMMIT")
	b.ok(err)
	b.until("the position is kept", "SELECT count(*) = 1 FROM tidemark_positions WHERE position = $1", int64(1))
}
