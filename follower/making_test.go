package follower_test

import (
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/follower"
)

// A slot cannot be made before every write transaction has ended (DESIGN fact
// 5), and an announced stream has no position before: it says whom it waits for.
func TestWhomTheSlotWaitsFor(t *testing.T) {
	t.Parallel()
	b := newBed(t, reference+`; CREATE TABLE unrelated (n int)`)
	b.exec("SET application_name = 'nightly import'")
	old := b.begin()
	if _, err := old.Exec(t.Context(), "SET application_name = 'nightly import'; INSERT INTO unrelated VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	_, s := b.follow(referenceConfig(b.url))
	st := b.await(s, "whom it waits for", func(st follower.Status) bool { return strings.Contains(st.Reason, "nightly import") })
	if st.State != follower.StateStarting || !strings.Contains(st.Reason, "pid ") || !strings.Contains(st.Reason, "is being made") {
		t.Errorf("%s: %q", st.State, st.Reason)
	}
	b.ok(old.Commit(t.Context()))
	b.following(s)
}
