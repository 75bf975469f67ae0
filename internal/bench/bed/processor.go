package bed

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc/PID/stat: a hundredth of a second on
// every Linux that Go runs on.
const tick = 10 * time.Millisecond

// Processor is the processor time that the server has used, its backends
// included, those too that have ended. It is 0 where there is no /proc.
func (s *Server) Processor() (time.Duration, error) {
	postmaster := s.cluster.PID()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	all := int64(0)
	for _, file := range stats {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		used, parent, ended := readStat(file)
		switch postmaster {
		case pid:
			all += used + ended
		case parent:
			all += used
		}
	}
	return time.Duration(all) * tick, nil
}

// readStat reads what a process has used, its parent, and what its children
// had used that have ended. A process that is gone has used nothing.
func readStat(file string) (used int64, parent int, ended int64) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, 0
	}
	// The name, in parentheses, may hold anything.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 15 {
		return 0, 0, 0
	}
	number := func(field int) int64 { // as proc(5) counts them
		n, _ := strconv.ParseInt(fields[field-3], 10, 64)
		return n
	}
	return number(14) + number(15), int(number(4)), number(16) + number(17)
}
