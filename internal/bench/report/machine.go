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

func kernel() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return ""
	}
	return ", kernel " + strings.TrimSpace(string(text))
}
