// Package config reads the program's YAML configuration.
//
// It is strict: an unknown key, a value of the wrong type or out of range, and
// settings that contradict each other are refused with one line that names
// file, line and column, says what is wrong and what to do. Of several
// mistakes the first in the file is told. Nothing but the file is looked at:
// whether the tables exist is asked by `tidemark check`, and the token file is
// read by the web server.
package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

// DatabaseURLVariable is the environment variable that overrides database.url.
const DatabaseURLVariable = "TIDEMARK_DATABASE_URL"

// maxFile is the size in bytes beyond which a file is no configuration.
const maxFile = 1 << 20

// ReaderPolicy says what becomes of a stream whose reader stays down for
// longer than the reader timeout.
type ReaderPolicy string

const (
	// ReaderHalt, the default, stops publication and says so.
	ReaderHalt ReaderPolicy = "halt"
	// ReaderDrop goes on without the reader.
	ReaderDrop ReaderPolicy = "drop"
)

// Config is a whole configuration, valid in itself.
type Config struct {
	// Follower is what an embedded follower takes: database, slot,
	// publication and streams. Its Logger, ApplicationName and PublishedFunc
	// have no key and are left unset.
	Follower follower.Config
	// Readers are the connection strings of the physical standbys on which a
	// position must be visible before it is published.
	Readers []string
	// ReaderTimeout is how long a reader may be down before ReaderPolicy acts.
	ReaderTimeout time.Duration
	// ReaderPolicy is what happens then.
	ReaderPolicy ReaderPolicy
	// Guard is the retained WAL, in bytes, beyond which a slot that nobody
	// reads is dropped; 0 is never.
	Guard int64
	// Published says where published positions go besides HTTP.
	Published Published
	// HTTP is the web server's part.
	HTTP HTTP
	// Log says what is logged and how.
	Log Log
}

// Published says where published positions are kept and announced.
type Published struct {
	// Table is the SQL name of the table that keeps them; empty is off. The
	// default is public.tidemark_positions, for temporary slots off.
	Table string
	// Notify is the channel that NOTIFY tells of moves; empty is none.
	Notify string
}

// HTTP configures the web server.
type HTTP struct {
	// Listen is host:port. Without a TokenFile the host is a loopback address.
	Listen string
	// TokenFile is the path of the file with the bearer token; empty is none.
	TokenFile string
	// TLS is served where both files are named.
	TLS TLS
	// Public is what needs no token.
	Public []Public
	// MaxConnections bounds the connections served at one time.
	MaxConnections int
	// MaxConnectionsPerClient bounds those of one address; 0 is no such bound.
	MaxConnectionsPerClient int
}

// Public is something that the web server can show without the token.
type Public string

const (
	// PublicMetrics is /metrics.
	PublicMetrics Public = "metrics"
	// PublicPage is the page, with what it reads: /v1/streams, /v1/events and
	// /v1/slots.
	PublicPage Public = "page"
)

// TLS names the server's certificate and key; both empty is plain HTTP.
type TLS struct {
	// CertFile and KeyFile are paths of PEM files.
	CertFile, KeyFile string
}

// LogFormat is how log lines look.
type LogFormat string

const (
	// LogAuto, the default, is coloured text on a terminal and JSON otherwise.
	LogAuto LogFormat = "auto"
	// LogText is text, coloured on a terminal only.
	LogText LogFormat = "text"
	// LogJSON is one JSON object a line.
	LogJSON LogFormat = "json"
)

// Log configures logging.
type Log struct {
	// Level is the least level that is logged.
	Level slog.Level
	// Format of the lines.
	Format LogFormat
}

// Load reads the file at path. env looks up an environment variable, as
// os.Getenv does: DatabaseURLVariable, where set, takes the place of
// database.url, which may then be missing. Every error is one line that begins
// with "read configuration:"; a mistake in the file is an *Error.
func Load(path string, env func(string) string) (*Config, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %s: %w", printable(path), err)
	}
	return parse(path, data, env(DatabaseURLVariable))
}

// Parse reads data; name is what errors call the file. The environment is not
// asked, so database.url must be there.
func Parse(name string, data []byte) (*Config, error) {
	return parse(name, data, "")
}

func parse(name string, data []byte, databaseURL string) (*Config, error) {
	if databaseURL != "" {
		if what, do := checkURL(databaseURL); what != "" {
			return nil, fmt.Errorf("read configuration: %s: %s: %s", DatabaseURLVariable, what, do)
		}
	}
	d := &document{name: name, at: map[string]position{}}
	root := d.parse(data)
	if err := d.first(); err != nil {
		return nil, err
	}
	c := d.config(root, databaseURL)
	if err := d.first(); err != nil {
		return nil, err
	}
	if d.crossCheck(c); d.first() != nil {
		return nil, d.first()
	}
	return c, nil
}

// readFile reads a file of bounded size. It leaves the path out of its errors,
// because the caller names it.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, openError(err)
	}
	defer f.Close() //nolint:errcheck // opened for reading: nothing can be lost
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, errors.New("is a directory: name a YAML file")
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, openError(err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("is larger than %d bytes: this is no configuration of Tidemark", maxFile)
	}
	return data, nil
}

func openError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("no such file: name one with -c")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("permission denied: make it readable for this user")
	}
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		return pathErr.Err
	}
	return err
}
