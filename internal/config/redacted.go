package config

import (
	"log/slog"
	"strings"

	"github.com/tidemark-pg/tidemark/follower"
)

// LogValue is the configuration for a log line, with no secret in it.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(c.attrs()...)
}

// String is the configuration on one line, with no secret in it.
func (c Config) String() string {
	var b strings.Builder
	for _, a := range c.attrs() {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(a.String())
	}
	return b.String()
}

// GoString keeps secrets out of %#v as well.
func (c Config) GoString() string { return "config.Config{" + c.String() + "}" }

func (c Config) attrs() []slog.Attr {
	readers := make([]string, len(c.Readers))
	for i, r := range c.Readers {
		readers[i] = redact(r)
	}
	streams := make([]string, len(c.Follower.Streams))
	for i, s := range c.Follower.Streams {
		streams[i] = s.Name
	}
	attrs := []slog.Attr{
		slog.String("database", redact(c.Follower.Database)),
		slog.Any("readers", readers),
		slog.String("slot", c.Follower.Slot.Name),
		slog.Bool("temporary", c.Follower.Slot.Kind == follower.SlotTemporary),
		slog.String("publication", c.Follower.Publication),
		slog.Any("streams", streams),
		slog.String("published", c.Published.Table),
		slog.String("listen", c.HTTP.Listen),
	}
	if standby := c.Follower.Slot.Standby; standby != "" {
		attrs = append(attrs, slog.String("decodes", redact(standby)))
	}
	return attrs
}
