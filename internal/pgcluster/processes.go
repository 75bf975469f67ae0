package pgcluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// process is one line of the system's process table.
type process struct {
	pid, parent int
	zombie      bool
}

// descendants returns the processes below pid, at any depth.
func descendants(pid int) ([]int, error) {
	table, err := processes()
	if err != nil {
		return nil, err
	}
	var family []int
	for next := []int{pid}; len(next) > 0; next = next[1:] {
		for _, p := range table {
			if p.parent == next[0] && !p.zombie {
				family = append(family, p.pid)
				next = append(next, p.pid)
			}
		}
	}
	return family, nil
}

// alive reports whether a process exists and has not ended: one that nobody
// has waited for yet holds nothing any more.
func alive(pid int) bool {
	table, err := processes()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(table, func(p process) bool { return p.pid == pid && !p.zombie })
}

// processes reads the process table: from /proc where there is one, so that
// the smallest container will do, else from ps.
func processes() ([]process, error) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	if len(files) == 0 {
		return processesFromPS()
	}
	var table []process
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // ended meanwhile
		}
		if p, ok := parseStat(string(text)); ok {
			table = append(table, p)
		}
	}
	return table, nil
}

// parseStat reads a line of /proc/PID/stat: pid (name) state parent …, where
// the name may hold blanks and parentheses.
func parseStat(line string) (process, bool) {
	pid, rest, ok := strings.Cut(line, " (")
	end := strings.LastIndex(rest, ") ")
	if !ok || end < 0 {
		return process{}, false
	}
	fields := strings.Fields(rest[end+2:])
	if len(fields) < 2 {
		return process{}, false
	}
	return newProcess(pid, fields[1], fields[0])
}

func processesFromPS() ([]process, error) {
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,stat=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var table []process
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		if p, ok := newProcess(fields[0], fields[1], fields[2]); ok {
			table = append(table, p)
		}
	}
	return table, nil
}

func newProcess(pid, parent, state string) (process, bool) {
	p, err := strconv.Atoi(pid)
	if err != nil {
		return process{}, false
	}
	pp, err := strconv.Atoi(parent)
	if err != nil {
		return process{}, false
	}
	return process{pid: p, parent: pp, zombie: strings.HasPrefix(state, "Z")}, true
}
