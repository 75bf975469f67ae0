package slots

import (
	"time"

	"github.com/tidemark-pg/tidemark/follower/internal/human"
)

// HumanSize writes bytes for a person: 17 B, 1.5 KiB, 64 MiB.
func HumanSize(bytes int64) string { return human.Size(bytes) }

// HumanDuration writes a time for a person: 0.4 s, 35 s, 2 min, 3 h 5 min, 4 d 1 h.
func HumanDuration(d time.Duration) string { return human.Duration(d) }
