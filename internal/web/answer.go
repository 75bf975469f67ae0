package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower"
)

// streamAnswer is a stream as /v1/streams tells it. A nil pointer is a JSON null: unknown.
type streamAnswer struct {
	Name      string            `json:"name"`
	Position  *int64            `json:"position"`
	Writers   map[string]int64  `json:"writers"`
	Allocated *int64            `json:"allocated"`
	State     follower.State    `json:"state"`
	Reason    string            `json:"reason,omitempty"`
	Epoch     *string           `json:"epoch"`
	LSN       *string           `json:"lsn"`
	MovedAt   *time.Time        `json:"moved_at"`
	CheckedAt *time.Time        `json:"checked_at"`
	HeldBy    []follower.Holder `json:"held_by"`
	LateRows  uint64            `json:"late_rows"`
}

func newStreamAnswer(st follower.Status) *streamAnswer {
	return &streamAnswer{
		Name:      st.Name,
		Position:  known(st.Known, st.Position),
		Writers:   RecentWriters(st.Writers),
		Allocated: known(st.AllocatedKnown, st.Allocated),
		State:     st.State,
		Reason:    st.Reason,
		Epoch:     known(st.Known, st.Epoch),
		LSN:       lsnAnswer(st.LSN),
		MovedAt:   known(!st.MovedAt.IsZero(), st.MovedAt.UTC()),
		CheckedAt: known(!st.CheckedAt.IsZero(), st.CheckedAt.UTC()),
		HeldBy:    append([]follower.Holder{}, st.HeldBy...),
		LateRows:  st.LateRows,
	}
}

func known[T any](is bool, v T) *T {
	if !is {
		return nil
	}
	return &v
}

func lsnAnswer(lsn pglogrepl.LSN) *string {
	return known(lsn != 0, lsn.String())
}

// writeJSON answers with v. The body is encoded before anything is sent, so a
// value that cannot be encoded becomes a whole error and not half an answer.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		writeProblem(w, r, problem{Status: http.StatusInternalServerError, Detail: "the answer could not be encoded"})
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)+1))
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // an error means that the client has gone
}

func writeOK(w http.ResponseWriter, r *http.Request, v any) {
	writeJSON(w, r, http.StatusOK, "application/json", v)
}
