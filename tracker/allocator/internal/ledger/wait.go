package ledger

// Wait waits for the end of every transaction that was open at one moment and
// may write what a claim is about: then the claim is true. It asks nothing of
// time, and is told nothing of the transactions but that they are there. The
// zero value has not looked yet.
type Wait struct {
	listed map[string]bool // nil before the first look
	server string          // the server's life that the list belongs to
}

// Look notes who is open now: the first time all of them are waited for, later
// those who still are. It reports whether none is. After the server has started
// anew the list is made again: a prepared transaction then goes by another name
// (DESIGN, fact 2).
func (w *Wait) Look(open []string, life string) (ended bool) {
	still := make(map[string]bool, len(open))
	for _, vxid := range open {
		if w.listed == nil || w.server != life || w.listed[vxid] {
			still[vxid] = true
		}
	}
	w.listed, w.server = still, life
	return len(still) == 0
}
