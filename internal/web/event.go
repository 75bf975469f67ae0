package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"

	"github.com/tidemark-pg/tidemark/follower"
)

// event is the newest event of one kind in one topic. Its bytes are shared by
// every client and never change; nil bytes mean that there is nothing to send.
type event struct {
	version uint64 // 0: there has been none
	bytes   []byte
}

func (e *event) replace(b []byte) {
	e.version++
	e.bytes = b
}

// positionData never holds a null: it is made of a known Status only.
type positionData struct {
	Stream   string           `json:"stream"`
	Position int64            `json:"position"`
	Writers  map[string]int64 `json:"writers"`
	Epoch    string           `json:"epoch"`
	LSN      string           `json:"lsn"`
}

type stateData struct {
	Stream string         `json:"stream"`
	State  follower.State `json:"state"`
	Reason string         `json:"reason"`
}

func encodePosition(st follower.Status) []byte {
	return encodeEvent("position", strconv.FormatInt(st.Position, 10), positionData{
		Stream:   st.Name,
		Position: st.Position,
		Writers:  RecentWriters(st.Writers),
		Epoch:    st.Epoch,
		LSN:      st.LSN.String(),
	})
}

func encodeState(st follower.Status) []byte {
	return encodeEvent("state", "", stateData{Stream: st.Name, State: st.State, Reason: st.Reason})
}

// encodeEvent needs no splitting of lines: JSON holds no raw line break.
func encodeEvent(kind, id string, data any) []byte {
	body, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("web: encoding a %s event of %T: %v", kind, data, err)) // strings and integers only
	}
	var b bytes.Buffer
	b.Grow(len(body) + 64)
	fmt.Fprintf(&b, "event: %s\n", kind)
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	fmt.Fprintf(&b, "data: %s\n\n", body)
	return b.Bytes()
}

// samePosition tells whether a client has nothing to learn from b after a. An
// LSN that moved alone is no move.
func samePosition(a, b follower.Status) bool {
	return a.Position == b.Position && a.Epoch == b.Epoch && maps.Equal(a.Writers, b.Writers)
}

func sameState(a, b follower.Status) bool { return a.State == b.State && a.Reason == b.Reason }
