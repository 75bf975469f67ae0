package remote_test

import (
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/internal/positionstest"
	"github.com/tidemark-pg/tidemark/follower/remote"
	"github.com/tidemark-pg/tidemark/follower/tail"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

var (
	_ tail.Positions = (*remote.Stream)(nil)
	_ web.Stream     = (*remote.Stream)(nil)
	_ web.Stream     = positionstest.Stream(nil)
)

// What is told by a source in memory: the same as a real one, in little time.
func TestConformance(t *testing.T) {
	positionstest.Run(t, func(t *testing.T) positionstest.Bed {
		source := webtest.NewSource("events")
		source[0].Update(func(st *follower.Status) { st.AllocatedKnown, st.Epoch = true, "7/1/0/9.1" })
		d := serve(t, web.Config{Source: source})
		s := follow(t, d.url)
		await(t, s, "following", in(follower.StateFollowing, ""))
		return positionstest.Bed{
			Stream: s,
			Insert: func(writer string) (id int64) {
				source[0].Update(func(st *follower.Status) {
					st.Position++
					st.LSN++
					id = st.Position
					if st.Writers == nil {
						st.Writers = map[string]int64{}
					}
					st.Writers[writer] = id
				})
				return id
			},
			StartOver: func() { move(source[0], "7/1/0/9.2", 0, nil) },
		}
	})
}
