package daemon

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// A daemon whose slot is read by another says so in one line, however many
// streams it has.
func TestStandbyIsToldOnce(t *testing.T) {
	t.Parallel()
	_, sql, cfg := setup(t)
	pgtest.Exec(t, sql, "SELECT pg_create_logical_replication_slot('tidemark', 'pgoutput')")
	_, first := start(t, cfg)
	await(t, "the slot is read", func() bool { return first.line("reading the slot") != nil })
	url, second := start(t, cfg)
	await(t, "the other is its standby", func() bool {
		status, body := get(t, url+"/readyz")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "is standby")
	})
	await(t, "that is told", func() bool {
		return second.line("standby: the slot is read by another process; taking over when it goes") != nil
	})
	if line := second.line("not following"); line != nil {
		t.Errorf("it is told twice: %v", line)
	}
}
