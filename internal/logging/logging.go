package logging

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"

	"github.com/tidemark-pg/tidemark/internal/config"
)

// New returns a handler that writes lines as cfg says: text for people, which
// has colours on a terminal only, or JSON for machines.
func New(w io.Writer, cfg config.Log) slog.Handler {
	terminal := IsTerminal(w)
	format := cfg.Format
	if format == config.LogAuto || format == "" {
		format = config.LogJSON
		if terminal {
			format = config.LogText
		}
	}
	if format == config.LogJSON {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: cfg.Level, ReplaceAttr: withUnit})
	}
	return tint.NewTextHandler(w, &tint.Options{Level: cfg.Level, NoColor: !terminal, TimeFormat: time.StampMilli})
}

// withUnit writes a duration as people do: slog's JSON has nanoseconds.
func withUnit(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// IsTerminal reports whether w is a character device that shows what is
// written to it; the null device is not.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
