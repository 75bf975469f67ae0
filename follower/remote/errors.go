package remote

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
)

// RefusedError is an answer that will be the same until somebody does
// something: the token is wrong (401, 403), the daemon has no such stream
// (404), or it is gone for good (410).
type RefusedError struct {
	// URL is the daemon's address.
	URL string
	// Status is the HTTP status.
	Status int
	// Detail is the daemon's own sentence; empty where it said none.
	Detail string
}

// Error says what to do.
func (e *RefusedError) Error() string {
	do := "name another address"
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		do = "give the token that its http.token_file holds"
	case http.StatusNotFound:
		do = "look at the address and the names of the streams"
	}
	detail := e.Detail
	if detail == "" {
		detail = http.StatusText(e.Status)
	}
	return fmt.Sprintf("the daemon at %s refuses: %s (HTTP status %d): %s", e.URL, detail, e.Status, do)
}

// isRefusal tells whether a status will be the same the next time.
func isRefusal(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusGone:
		return true
	}
	return false
}

var (
	errSilent = errors.New("it has said nothing for too long")
	errEnded  = errors.New("it has ended the connection")
	errIdle   = errors.New("it has had no server, or not the slot, for a while, and there is another address")
)

// staleEpochError is a daemon that tells of a history that is over.
type staleEpochError struct{ stream, told, present string }

func (e *staleEpochError) Error() string {
	return fmt.Sprintf("of stream %q it tells an epoch that is over (%.100s; %.100s is current)", e.stream, e.told, e.present)
}

// maxSaid bounds what a daemon says and we show.
const maxSaid = 1000

// oneLine makes of what somebody else said a text that may be shown: one line,
// not too long.
func oneLine(text string) string {
	if len(text) > maxSaid {
		text = text[:maxSaid]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
}
