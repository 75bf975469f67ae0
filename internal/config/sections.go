package config

import (
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/tidemark-pg/tidemark/follower"
)

// Defaults of the keys that have one.
const (
	DefaultReaderTimeout  = 30 * time.Second
	DefaultSlot           = "tidemark"
	DefaultSkipAhead      = 256 << 20
	DefaultPublication    = "tidemark"
	DefaultPositionsTable = "public.stream_positions"
	DefaultPublishedTable = "public.tidemark_positions"
	DefaultListen         = "127.0.0.1:8474"
	DefaultMaxConnections = 20000
)

// maxConnections is more than one process can have.
const maxConnections = 1_000_000

func defaults() *Config {
	return &Config{
		Follower: follower.Config{
			Slot:           follower.SlotConfig{Kind: follower.SlotPermanent, SkipAhead: DefaultSkipAhead},
			Publication:    DefaultPublication,
			PositionsTable: DefaultPositionsTable,
		},
		ReaderTimeout: DefaultReaderTimeout,
		ReaderPolicy:  ReaderHalt,
		HTTP:          HTTP{Listen: DefaultListen, MaxConnections: DefaultMaxConnections},
		Log:           Log{Level: slog.LevelInfo, Format: LogAuto},
	}
}

// config reads the whole document.
func (d *document) config(root ast.Node, databaseURL string) *Config {
	c := defaults()
	d.section(fields{
		"database":        d.database(c, databaseURL != ""),
		"slot":            d.slot(c),
		"publication":     d.checked(&c.Follower.Publication, checkIdentifier),
		"streams":         d.streams(&c.Follower.Streams),
		"positions_table": d.checked(&c.Follower.PositionsTable, checkOptionalSQLName),
		"published":       d.published(&c.Published),
		"http":            d.http(&c.HTTP),
		"log":             d.log(&c.Log),
	})(root, "")
	d.required("", "streams")
	if databaseURL != "" {
		c.Follower.Database = databaseURL
	} else {
		d.required("database", "url")
	}
	d.dependentDefaults(c)
	return c
}

// dependentDefaults fills in what depends on the kind of the slot.
func (d *document) dependentDefaults(c *Config) {
	if c.Follower.Slot.Kind != follower.SlotPermanent {
		return
	}
	if !d.given("slot.name") {
		c.Follower.Slot.Name = DefaultSlot
	}
	if !d.given("published.table") {
		c.Published.Table = DefaultPublishedTable
	}
}

func (d *document) database(c *Config, overridden bool) reader {
	url := d.checked(&c.Follower.Database, checkURL)
	if overridden {
		url = d.text(&c.Follower.Database)
	}
	return d.section(fields{
		"url":            url,
		"readers":        d.readers(&c.Readers),
		"reader_timeout": d.duration(&c.ReaderTimeout),
		"reader_policy":  oneOf(d, &c.ReaderPolicy, ReaderHalt, ReaderDrop),
	})
}

func (d *document) readers(into *[]string) reader {
	return d.sequence(func(n ast.Node, path string) {
		var url string
		d.checked(&url, checkReaderURL)(n, path)
		*into = append(*into, url)
	})
}

func (d *document) slot(c *Config) reader {
	slot := &c.Follower.Slot
	var temporary bool
	read := d.section(fields{
		"name":       d.checked(&slot.Name, checkSlotName),
		"temporary":  d.boolean(&temporary),
		"standby":    d.checked(&slot.Standby, checkOptionalReaderURL),
		"failover":   d.boolean(&slot.Failover),
		"skip_ahead": d.size(&slot.SkipAhead),
		"guard":      d.size(&c.Guard),
	})
	return func(n ast.Node, path string) {
		read(n, path)
		if temporary {
			slot.Kind = follower.SlotTemporary
		}
	}
}

func (d *document) published(into *Published) reader {
	return d.section(fields{
		"table":  d.checked(&into.Table, checkOptionalSQLName),
		"notify": d.checked(&into.Notify, checkChannel),
	})
}

func checkChannel(s string) (what, do string) {
	if s == "" {
		return "", ""
	}
	return checkIdentifier(s)
}

func (d *document) http(into *HTTP) reader {
	return d.section(fields{
		"listen":     d.checked(&into.Listen, checkListen),
		"token_file": d.text(&into.TokenFile),
		"tls": d.section(fields{
			"cert_file": d.text(&into.TLS.CertFile),
			"key_file":  d.text(&into.TLS.KeyFile),
		}),
		"public": d.sequence(func(n ast.Node, path string) {
			var what Public
			oneOf(d, &what, PublicMetrics, PublicPage)(n, path)
			into.Public = append(into.Public, what)
		}),
		"max_connections":            d.count(&into.MaxConnections, 1, maxConnections),
		"max_connections_per_client": d.count(&into.MaxConnectionsPerClient, 0, maxConnections),
	})
}

func checkListen(s string) (what, do string) {
	_, port, err := net.SplitHostPort(s)
	if err == nil && decimal(port) {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || !decimal(port) {
		return fmt.Sprintf("is %q, which is not an address", s), "write host:port, as in " + DefaultListen
	}
	return "", ""
}

// loopback tells whether only this machine can reach an address.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func (d *document) log(into *Log) reader {
	level := "info"
	read := d.section(fields{
		"level":  oneOf(d, &level, "debug", "info", "warn", "error"),
		"format": oneOf(d, &into.Format, LogAuto, LogText, LogJSON),
	})
	return func(n ast.Node, path string) {
		read(n, path)
		levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
		into.Level = levels[level]
	}
}
