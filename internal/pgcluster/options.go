package pgcluster

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Options say how to make a cluster. The zero value is a cluster of the
// newest installed version.
type Options struct {
	// Binaries to run; zero means what Find(0) returns.
	Binaries Binaries

	// Settings of postgresql.conf, over the defaults of [DefaultSettings].
	// Values are given without quotes. The port is chosen by Start.
	Settings map[string]string

	// Dir is where the cluster's own directory is made; "" means the system's
	// directory for temporary files. The user that the server runs as must be
	// able to reach it.
	Dir string

	// Superuser is the name of the bootstrap superuser; "" means "postgres".
	Superuser string

	// InitArgs are further arguments for initdb, such as --wal-segsize=1.
	InitArgs []string

	// Logger is told of starts, stops and kills at level debug; nil means none.
	Logger *slog.Logger
}

// DefaultSettings returns what every cluster is configured with unless
// [Options] say otherwise. It is a fresh map each time.
//
// fsync stays on: tests of crashes lean on what is on disk. Dynamic shared
// memory is kept in files of the data directory, so that a killed server
// leaves nothing behind outside of it.
func DefaultSettings() map[string]string {
	return map[string]string{
		"wal_level":                  "logical",
		"max_prepared_transactions":  "20",
		"max_connections":            "100",
		"max_wal_senders":            "20",
		"max_replication_slots":      "20",
		"dynamic_shared_memory_type": "mmap",
		"log_line_prefix":            "%m [%p] %q%u@%d %a ",
	}
}

// confined are the settings that keep a cluster private: no option changes them.
func confined(port int) map[string]string {
	return map[string]string{
		"listen_addresses":        loopback,
		"port":                    fmt.Sprint(port),
		"unix_socket_directories": "",
	}
}

// loopback is the only address a cluster listens on.
const loopback = "127.0.0.1"

// withDefaults fills what was left open.
func (o Options) withDefaults() (Options, error) {
	if o.Binaries.Dir == "" {
		b, err := Find(0)
		if err != nil {
			return o, err
		}
		o.Binaries = b
	}
	if o.Superuser == "" {
		o.Superuser = "postgres"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	settings := DefaultSettings()
	maps.Copy(settings, o.Settings)
	o.Settings = settings
	return o, nil
}

// configFile renders settings as lines of a configuration file, in the order
// of their names.
func configFile(settings map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		value := strings.ReplaceAll(settings[name], `\`, `\\`)
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.ReplaceAll(value, "'", "''"))
	}
	return b.String()
}
