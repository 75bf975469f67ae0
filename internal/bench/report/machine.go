package report

import (
	"os"
	"runtime"
	"strings"
)

// Machine says what the numbers hold for.
type Machine struct {
	// Processor's name, and how many of its cores there are.
	Processor string `json:"processor"`
	Cores     int    `json:"cores"`
	// System is the operating system and its kernel.
	System string `json:"system"`
	// Go and PostgreSQL are their versions.
	Go         string `json:"go"`
	PostgreSQL string `json:"postgresql"`
}

// ThisMachine describes the one that the program runs on.
func ThisMachine(postgresql string) Machine {
	return Machine{
		Processor: processor(), Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH + kernel(),
		Go: strings.TrimPrefix(runtime.Version(), "go"), PostgreSQL: postgresql,
	}
}

// processor asks Linux; elsewhere the name stays unknown.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// kernel is Linux's version, and how its TCP controls congestion: that decides
// what small messages cost.
func kernel() (text string) {
	for _, part := range []struct{ before, file string }{
		{", kernel ", "kernel/osrelease"}, {", TCP ", "net/ipv4/tcp_congestion_control"},
	} {
		if found, err := os.ReadFile("/proc/sys/" + part.file); err == nil {
			text += part.before + strings.TrimSpace(string(found))
		}
	}
	return text
}
