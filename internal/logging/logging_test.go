package logging_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-pg/tidemark/internal/config"
	"github.com/tidemark-pg/tidemark/internal/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFormats(t *testing.T) {
	t.Parallel()
	for format, isJSON := range map[config.LogFormat]bool{
		config.LogAuto: true, config.LogJSON: true, config.LogText: false, "": true,
	} {
		var out bytes.Buffer // no terminal
		log := slog.New(logging.New(&out, config.Log{Level: slog.LevelWarn, Format: format}))
		log.Info("below the level")
		log.Warn("hello", "n", 1)
		if json.Valid(out.Bytes()) != isJSON || strings.Count(out.String(), "\n") != 1 || !strings.Contains(out.String(), "hello") {
			t.Errorf("%q: %s", format, &out)
		}
		if strings.Contains(out.String(), "\x1b") {
			t.Errorf("%q: colours on no terminal: %q", format, &out)
		}
	}
}

// A number of nanoseconds would not say what it is.
func TestDurationsHaveAUnit(t *testing.T) {
	t.Parallel()
	for _, format := range []config.LogFormat{config.LogJSON, config.LogText} {
		var out bytes.Buffer
		slog.New(logging.New(&out, config.Log{Format: format})).Info("skipped", "took", 1500*time.Millisecond)
		if !strings.Contains(out.String(), "1.5s") {
			t.Errorf("%s: %s", format, &out)
		}
	}
}

func TestIsTerminal(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, f := range []*os.File{file, null} {
		if logging.IsTerminal(f) {
			t.Errorf("%s is taken for a terminal", f.Name())
		}
	}
	if logging.IsTerminal(&bytes.Buffer{}) {
		t.Error("a buffer is taken for a terminal")
	}
	// Whoever opens this device makes a terminal.
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return // no such device on this system
	}
	defer terminal.Close()
	if !logging.IsTerminal(terminal) {
		t.Error("a terminal is not taken for one")
	}
}
