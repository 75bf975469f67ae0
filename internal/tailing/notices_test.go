package tailing

import (
	"bytes"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

func TestNotices(t *testing.T) {
	t.Parallel()
	now := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	since, gid, user, idle, active := now.Add(-90*time.Second), "two phase", "app", "idle in transaction", "active"
	pid := int32(7)
	waiting := follower.Status{State: follower.StateStarting, HeldBy: []follower.Holder{
		{GID: &gid, User: &user, Since: &since},
		{PID: &pid, State: &idle},
	}}
	still := follower.Status{State: follower.StateStarting, HeldBy: []follower.Holder{
		{GID: &gid, User: &user, Since: &since},
		{PID: &pid, State: &active},
	}}
	following := follower.Status{State: follower.StateFollowing, Known: true, HeldBy: waiting.HeldBy}
	lost := follower.Status{State: follower.StateReconnecting, Known: true, Reason: "connection refused"}
	var out bytes.Buffer
	n := notices{to: &out, stream: "events"}
	for _, st := range []follower.Status{{State: follower.StateStarting}, waiting, still, following, following, lost, lost, following} {
		n.say(st, now)
		now = now.Add(time.Second)
	}
	want := `tidemark: stream "events": waiting for prepared transaction "two phase", user "app", open for 1m31s; pid 7, idle in transaction
tidemark: stream "events": following
tidemark: stream "events": reconnecting: connection refused
tidemark: stream "events": following
`
	if out.String() != want {
		t.Errorf("notices:\n%swant:\n%s", &out, want)
	}
}
