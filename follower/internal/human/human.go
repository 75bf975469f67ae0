// Package human writes sizes and times as a person reads them.
package human

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Size writes bytes for a person: 17 B, 1.5 KiB, 64 MiB.
func Size(bytes int64) string {
	if bytes > -1024 && bytes < 1024 {
		return strconv.FormatInt(bytes, 10) + " B"
	}
	size, unit := float64(bytes), -1
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for (size >= 1023.95 || size <= -1023.95) && unit < len(units)-1 {
		size /= 1024
		unit++
	}
	return strings.TrimSuffix(strconv.FormatFloat(size, 'f', 1, 64), ".0") + " " + units[max(unit, 0)]
}

// Duration writes a time for a person: 0.4 s, 35 s, 2 min, 3 h 5 min, 4 d 1 h.
func Duration(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatFloat(max(d, 0).Seconds(), 'f', 1, 64) + " s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return two(d, time.Minute, "min", time.Second, "s")
	case d < 24*time.Hour:
		return two(d, time.Hour, "h", time.Minute, "min")
	}
	return two(d, 24*time.Hour, "d", time.Hour, "h")
}

// two writes a time in two units; none of the smaller one where there is none.
func two(d, big time.Duration, bigName string, small time.Duration, smallName string) string {
	s := fmt.Sprintf("%d %s", d/big, bigName)
	if rest := d % big / small; rest > 0 {
		s += fmt.Sprintf(" %d %s", rest, smallName)
	}
	return s
}
