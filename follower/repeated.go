package follower

import (
	"strings"
	"time"
)

const (
	// failureEvery is how long, after a failure was logged, another one of the
	// same loop is not: while a server goes away each attempt fails differently.
	failureEvery = 10 * time.Second
	// maxFailures is how many different ones are logged until it is over.
	maxFailures = 20
)

// repeated picks, of the failures of one loop, those worth a line: each once
// until it is over, and none soon after another of its kind. The zero value is
// ready for use.
type repeated struct {
	said map[string]bool // without numbers
	kind string          // of the last line
	at   time.Time       // of the last line
}

// worth reports whether a failure is to be logged now, and takes it for logged.
// kind is what failed; a failure of another kind need not wait.
//
// Numbers do not make a failure another one: the port of a connection that was
// reset, the pid of who reads the slot now.
func (r *repeated) worth(now time.Time, kind, reason string) bool {
	key := kind + ": " + withoutNumbers(reason)
	soon := kind == r.kind && now.Sub(r.at) < failureEvery
	if soon || r.said[key] || len(r.said) >= maxFailures {
		return false
	}
	if r.said == nil {
		r.said = make(map[string]bool)
	}
	r.said[key] = true
	r.kind, r.at = kind, now
	return true
}

// over forgets what was logged, and reports whether anything was.
func (r *repeated) over() bool {
	was := len(r.said) > 0
	*r = repeated{}
	return was
}

func withoutNumbers(s string) string {
	return strings.Map(func(c rune) rune {
		if c >= '0' && c <= '9' {
			return -1
		}
		return c
	}, s)
}
