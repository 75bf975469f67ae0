package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Environment variables that [Find] reads.
const (
	// EnvBin names one directory of PostgreSQL programs, or several separated
	// by colons. They are looked at first.
	EnvBin = "TIDEMARK_PG_BIN"

	// EnvCache names a directory that holds one installation for each major
	// version, in subdirectories named by it ("17").
	EnvCache = "TIDEMARK_PG_CACHE"
)

// ErrNotFound is what [Find] returns, wrapped with how to install it, when
// this machine has no PostgreSQL server of the wanted major version.
var ErrNotFound = errors.New("no PostgreSQL server found")

// Binaries is one installation of PostgreSQL's server programs.
type Binaries struct {
	// Dir holds postgres and initdb.
	Dir string

	// Major is the major version: 17 for 17.10.
	Major int

	// Version is the version as the server writes it: "17.10".
	Version string
}

// Has reports whether the installation has this program: some hold only
// postgres, initdb and pg_ctl.
func (b Binaries) Has(program string) bool {
	info, err := os.Stat(b.path(program))
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

func (b Binaries) path(program string) string { return filepath.Join(b.Dir, program) }

// Find returns an installation of the given major version; 0 asks for any and
// gets the newest. The directories of [EnvBin] come first: one that fits is
// taken whatever else is installed. Then it looks in the cache that
// [EnvCache] names (default: .cache/postgres beside the nearest go.mod above
// the working directory), in the places where packages of Linux distributions
// and Homebrew put the server, and on PATH. The error matches [ErrNotFound]
// and says how to install what is missing.
func Find(major int) (Binaries, error) {
	if b, ok := newest(major, filepath.SplitList(os.Getenv(EnvBin))); ok {
		return b, nil
	}
	if b, ok := newest(major, installedDirs()); ok {
		return b, nil
	}
	return Binaries{}, missing(major)
}

// newest returns the installation with the highest version among the
// directories; the first one where several have it.
func newest(major int, dirs []string) (Binaries, bool) {
	var best Binaries
	for _, dir := range dirs {
		b, err := inspect(dir)
		if err != nil || (major != 0 && b.Major != major) {
			continue // not an installation, or not the one that was asked for
		}
		if b.Major > best.Major {
			best = b
		}
	}
	return best, best.Major != 0
}

// inspect asks the server program in dir for its version.
func inspect(dir string) (Binaries, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Binaries{}, fmt.Errorf("resolve %q: %w", dir, err)
	}
	b := Binaries{Dir: dir}
	if !b.Has("postgres") || !b.Has("initdb") {
		return Binaries{}, fmt.Errorf("look into %s: postgres or initdb is missing", dir)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, b.path("postgres"), "--version").Output()
	if err != nil {
		return Binaries{}, fmt.Errorf("ask %s for its version: %w", b.path("postgres"), err)
	}
	b.Version, b.Major, err = parseVersion(string(out))
	return b, err
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[^\s]*)`)

// parseVersion takes what postgres --version prints apart.
func parseVersion(out string) (version string, major int, err error) {
	m := versionPattern.FindStringSubmatch(out)
	if m == nil {
		return "", 0, fmt.Errorf("read version %q: not PostgreSQL's form", strings.TrimSpace(out))
	}
	major, err = strconv.Atoi(m[2])
	if err != nil {
		return "", 0, fmt.Errorf("read version %q: %w", strings.TrimSpace(out), err)
	}
	return m[1], major, nil
}

// installedDirs lists every directory that may hold the server's programs.
func installedDirs() []string {
	patterns := []string{
		"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
		"/usr/pgsql-*/bin",                  // the project's packages for Red Hat
		"/usr/libexec/postgresql*",          // Alpine
		"/opt/homebrew/opt/postgresql*/bin", // Homebrew on Apple's own processors
		"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
		"/usr/local/pgsql/bin",              // built from source
	}
	if cache := cacheDir(); cache != "" {
		patterns = append([]string{filepath.Join(cache, "*", "bin")}, patterns...)
	}
	var dirs []string
	for _, p := range patterns {
		// Glob fails only on a malformed pattern: then there is nothing there.
		found, _ := filepath.Glob(p)
		dirs = append(dirs, found...)
	}
	return append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
}

// cacheDir is where the Makefile unpacks further major versions.
func cacheDir() string {
	if dir := os.Getenv(EnvCache); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".cache", "postgres")
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}

// missing says what to do about a server that is not there.
func missing(major int) error {
	if major == 0 {
		return fmt.Errorf("%w: run \"make postgres\" in the source tree, or install your system's package "+
			"(Debian, Ubuntu: apt-get install postgresql; Fedora: dnf install postgresql-server; "+
			"Alpine: apk add postgresql; macOS: brew install postgresql), or set %s to the directory that holds initdb",
			ErrNotFound, EnvBin)
	}
	return fmt.Errorf("%w: major version %d: run \"make postgres PG=%d\" in the source tree, "+
		"or set %s to the directory that holds its initdb", ErrNotFound, major, major, EnvBin)
}
