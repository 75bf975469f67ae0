package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/client"
)

// holderWords says in words what keeps a position back.
func holderWords(h follower.Holder, now time.Time) string {
	var words []string
	switch {
	case h.GID != nil:
		words = append(words, fmt.Sprintf("prepared transaction %q", *h.GID))
	case h.PID != nil:
		words = append(words, "pid "+strconv.Itoa(int(*h.PID)))
	case h.Writer != nil:
		words = append(words, fmt.Sprintf("writer %q, which has not announced more", *h.Writer))
	case h.State != nil && *h.State == follower.HolderStandby:
		return standbyWords(h, now)
	default:
		words = append(words, "an open transaction")
	}
	if h.ApplicationName != nil && *h.ApplicationName != "" {
		words = append(words, fmt.Sprintf("(%s)", *h.ApplicationName))
	}
	if h.User != nil && *h.User != "" {
		words = append(words, "of "+*h.User)
	}
	text := strings.Join(words, " ")
	if h.GID == nil && h.State != nil && *h.State != "" {
		text += ", " + *h.State
	}
	return text + sinceWords(h, now)
}

func standbyWords(h follower.Holder, now time.Time) string {
	address := ""
	if h.ApplicationName != nil {
		address = " " + *h.ApplicationName
	}
	return "standby" + address + ", which has not replayed so far" + sinceWords(h, now)
}

func sinceWords(h follower.Holder, now time.Time) string {
	if h.Since == nil {
		return ""
	}
	return fmt.Sprintf(", for %s", max(now.Sub(*h.Since), 0).Round(time.Second))
}

// number shows an id, or that it is not known.
func number(n *int64) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatInt(*n, 10)
}

// behind is how many ids a position lacks to the newest one; "-" while unknown.
func behind(s client.Stream) string {
	if s.Position == nil || s.Allocated == nil {
		return "-"
	}
	return strconv.FormatInt(distance(*s.Allocated, *s.Position), 10)
}

// distance is how many ids lie between two; those of a descending stream are
// negative.
func distance(a, b int64) int64 { return max(a-b, b-a) }
