package tail

import (
	"strconv"
	"strings"
)

// history is what an epoch's text says of where positions come from. To users
// the text is opaque; a follower writes it as
//
//	system/timeline/switch/sequence.filenode
//
// with marks behind the last two. The last part may be missing; sequence is 0
// then, and not compared.
type history struct {
	system, timeline   string
	sequence, filenode uint32
}

func readHistory(epoch string) history {
	parts := append(strings.Split(epoch, "/"), "", "", "")
	h := history{system: parts[0], timeline: parts[1]}
	sequence, rest, _ := strings.Cut(parts[3], ".")
	filenode, _, _ := strings.Cut(rest, "+")
	oid, err := strconv.ParseUint(sequence, 10, 32)
	if err != nil {
		return h
	}
	node, err := strconv.ParseUint(filenode, 10, 32)
	if err != nil {
		return h
	}
	h.sequence, h.filenode = uint32(oid), uint32(node)
	return h
}
