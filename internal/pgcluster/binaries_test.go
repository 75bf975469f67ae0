package pgcluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// install makes a directory that looks like an installation of a version.
func install(t *testing.T, dir, version string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\necho 'postgres (PostgreSQL) %s (Debian %s-1)'\n", version, version)
	for _, program := range []string{"postgres", "initdb"} {
		if err := os.WriteFile(filepath.Join(dir, program), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFindPrefersWhatItIsToldToUse(t *testing.T) {
	named, cache := t.TempDir(), t.TempDir()
	install(t, filepath.Join(named, "a"), "91.2")
	install(t, filepath.Join(named, "b"), "92beta1")
	install(t, filepath.Join(cache, "93", "bin"), "93.4")
	t.Setenv(EnvBin, filepath.Join(named, "a")+string(os.PathListSeparator)+filepath.Join(named, "b"))
	t.Setenv(EnvCache, cache)
	for major, want := range map[int]Binaries{
		0:  {Dir: filepath.Join(named, "b"), Major: 92, Version: "92beta1"},
		91: {Dir: filepath.Join(named, "a"), Major: 91, Version: "91.2"},
		93: {Dir: filepath.Join(cache, "93", "bin"), Major: 93, Version: "93.4"},
	} {
		if got, err := Find(major); err != nil || got != want {
			t.Errorf("Find(%d) = %+v, %v; want %+v", major, got, err, want)
		}
	}
	t.Setenv(EnvBin, "")
	if got, err := Find(0); err != nil || got.Major != 93 {
		t.Errorf("Find(0) = %+v, %v; want the newest, 93", got, err)
	}
}

func TestFindSaysHowToInstallWhatIsMissing(t *testing.T) {
	t.Setenv(EnvBin, "")
	_, err := Find(99)
	if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "make postgres PG=99") {
		t.Errorf("Find(99): %v", err)
	}
	if text := missing(0).Error(); !strings.Contains(text, "apt-get install postgresql") || !strings.Contains(text, EnvBin) {
		t.Errorf("nothing installed: %s", text)
	}
}

func TestHalfAnInstallationIsNone(t *testing.T) {
	dir := t.TempDir()
	install(t, dir, "91.2")
	if err := os.Remove(filepath.Join(dir, "initdb")); err != nil {
		t.Fatal(err)
	}
	if b, err := inspect(dir); err == nil {
		t.Errorf("inspect without initdb: %+v", b)
	}
}

func TestParseVersion(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres (PostgreSQL) 17.10\n":                "17.10 17",
		"postgres (PostgreSQL) 15.18 (Debian 1)\n":     "15.18 15",
		"postgres (PostgreSQL) 19devel\n":              "19devel 19",
		"postgres (PostgreSQL) \n":                     " 0",
		"":                                             " 0",
		"postgres (PostgreSQL) 99999999999999999999.1": " 0",
	} {
		version, major, err := parseVersion(text)
		if got := fmt.Sprint(version, " ", major); got != want || (err == nil) != (major != 0) {
			t.Errorf("parseVersion(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
}

// TestClosedDirectoryIsNamed: root runs the server as nobody, whom a private
// home directory keeps out.
func TestClosedDirectoryIsNamed(t *testing.T) {
	t.Parallel()
	closed := filepath.Join(t.TempDir(), "private")
	if err := os.MkdirAll(filepath.Join(closed, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(closed, "bin", "postgres")
	refused := &fs.PathError{Op: "fork/exec", Path: program, Err: fs.ErrPermission}
	err := (&account{name: "nobody"}).explain(program, refused)
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "may not enter "+closed) {
		t.Errorf("explained as %v", err)
	}
	if err := (*account)(nil).explain(program, refused); err != error(refused) {
		t.Errorf("without an account: %v, want it unchanged", err)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]process{
		"12 (postgres) S 7 12 12 0":       {pid: 12, parent: 7},
		"12 (a) b (c d) Z 7 12 12 0":      {pid: 12, parent: 7, zombie: true},
		"12 (postgres) S":                 {},
		"12":                              {},
		"x (postgres) S 7":                {},
		"12 (postgres) S x 12":            {},
		"12 (postgres: io worker) R 1 2 ": {pid: 12, parent: 1},
	} {
		if got, _ := parseStat(line); got != want {
			t.Errorf("parseStat(%q) = %+v, want %+v", line, got, want)
		}
	}
}
