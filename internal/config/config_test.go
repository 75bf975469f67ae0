package config_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/internal/config"
)

const minimal = `database: {url: postgres://tidemark@127.0.0.1:5432/app}
streams:
  - name: events
    tables:
      - {name: public.events, id_column: id}
`

// everything is the sample of the documentation, each key away from its default.
const everything = `database:
  url: postgres://tidemark:secret@127.0.0.1:5432/app   # the primary
  readers: [postgres://r@10.0.0.2/app, "host=10.0.0.3 user=r dbname=app"]
  reader_timeout: 1m30s
  reader_policy: drop
slot:
  name: mine
  temporary: false
  failover: true
  skip_ahead: 1GiB
  guard: 512KiB
publication: mine
streams:
  - name: events
    allocation: announced
    direction: descending
    sequence: public.events_id_seq
    writers: [a, "b"]
    tables:
      - {name: 'public."Events"', id_column: Id, instance_column: instance_name}
      - {name: other, id_column: id, writer: w}
positions_table: public.positions
published: {table: public.kept, notify: moves}
http:
  listen: 0.0.0.0:80
  token_file: /etc/token
  tls: {cert_file: c.pem, key_file: k.pem}
  max_connections: 5
  public: [metrics, page]
  max_connections_per_client: 2
log: {level: debug, format: json}
`

func TestParseDefaults(t *testing.T) {
	got, err := config.Parse("f", []byte(minimal))
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		Follower: follower.Config{
			Database:       "postgres://tidemark@127.0.0.1:5432/app",
			Slot:           follower.SlotConfig{Kind: follower.SlotPermanent, Name: "tidemark", SkipAhead: 256 << 20},
			Publication:    "tidemark",
			PositionsTable: "public.stream_positions",
			Streams: []follower.StreamConfig{{
				Name: "events", Allocation: follower.AllocationTransaction,
				Tables: []follower.TableConfig{{Name: "public.events", IDColumn: "id", Writer: "main"}},
			}},
		},
		ReaderTimeout: 30 * time.Second,
		ReaderPolicy:  config.ReaderHalt,
		Published:     config.Published{Table: "public.tidemark_positions"},
		HTTP:          config.HTTP{Listen: "127.0.0.1:8474", MaxConnections: 20000},
		Log:           config.Log{Level: slog.LevelInfo, Format: config.LogAuto},
	}
	if diff := cmp.Diff(want, got, ignoreFuncs); diff != "" {
		t.Error(diff)
	}
}

var ignoreFuncs = cmp.FilterPath(func(p cmp.Path) bool { return strings.HasSuffix(p.String(), "PublishedFunc") }, cmp.Ignore())

func TestParseEveryKey(t *testing.T) {
	got, err := config.Parse("f", []byte(everything))
	if err != nil {
		t.Fatal(err)
	}
	want := &config.Config{
		Follower: follower.Config{
			Database:       "postgres://tidemark:secret@127.0.0.1:5432/app",
			Slot:           follower.SlotConfig{Kind: follower.SlotPermanent, Name: "mine", Failover: true, SkipAhead: 1 << 30},
			Publication:    "mine",
			PositionsTable: "public.positions",
			Streams: []follower.StreamConfig{{
				Name: "events", Allocation: follower.AllocationAnnounced, Descending: true,
				Sequence: "public.events_id_seq", Writers: []string{"a", "b"},
				Tables: []follower.TableConfig{
					{Name: `public."Events"`, IDColumn: "Id", InstanceColumn: "instance_name"},
					{Name: "other", IDColumn: "id", Writer: "w"},
				},
			}},
		},
		Readers:       []string{"postgres://r@10.0.0.2/app", "host=10.0.0.3 user=r dbname=app"},
		ReaderTimeout: 90 * time.Second,
		ReaderPolicy:  config.ReaderDrop,
		Guard:         512 << 10,
		Published:     config.Published{Table: "public.kept", Notify: "moves"},
		HTTP: config.HTTP{
			Listen: "0.0.0.0:80", TokenFile: "/etc/token",
			TLS: config.TLS{CertFile: "c.pem", KeyFile: "k.pem"}, MaxConnections: 5, MaxConnectionsPerClient: 2,
			Public: []config.Public{config.PublicMetrics, config.PublicPage},
		},
		Log: config.Log{Level: slog.LevelDebug, Format: config.LogJSON},
	}
	if diff := cmp.Diff(want, got, ignoreFuncs); diff != "" {
		t.Error(diff)
	}
}

func TestTemporarySlotKeepsNothing(t *testing.T) {
	c, err := config.Parse("f", []byte(minimal+"slot: {temporary: true}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Follower.Slot.Kind != follower.SlotTemporary || c.Follower.Slot.Name != "" || c.Published.Table != "" {
		t.Errorf("slot %+v, published %+v: want an unnamed temporary slot and no table", c.Follower.Slot, c.Published)
	}
	c, err = config.Parse("f", []byte(minimal+"slot: {temporary: true}\npublished: {table: kept}\n"))
	if err != nil || c.Published.Table != "kept" {
		t.Errorf("published.table given: %v, %v", c, err)
	}
}

func TestTableOfBothDirections(t *testing.T) {
	both := minimal + "  - name: back\n    direction: descending\n    tables: [{name: PUBLIC.Events, id_column: id}]\n"
	if _, err := config.Parse("f", []byte(both)); err != nil {
		t.Error(err)
	}
}

func TestAnnouncedHasDefaultPositionsTable(t *testing.T) {
	c, err := config.Parse("f", []byte(strings.Replace(minimal, "    tables", "    allocation: announced\n    tables", 1)))
	if err != nil || c.Follower.PositionsTable != "public.stream_positions" {
		t.Errorf("%v, %v", c, err)
	}
}

func TestSectionsAndEndingsThatAreFine(t *testing.T) {
	for name, text := range map[string]string{
		"empty sections":  minimal + "slot:\nhttp:\nlog: {}\n",
		"windows":         strings.ReplaceAll(minimal, "\n", "\r\n"),
		"byte order mark": "\ufeff" + minimal,
		"one document":    "---\n" + minimal + "...\n",
		"ipv6 loopback":   minimal + "http: {listen: \"[::1]:0\"}\n",
		"several hosts":   strings.Replace(minimal, "postgres://tidemark@127.0.0.1:5432/app", "'postgres://t@10.0.0.1:5432,10.0.0.2:5432/app'", 1),
		"keyword url":     strings.Replace(minimal, "postgres://tidemark@127.0.0.1:5432/app", `"host=h user=u password='a b' dbname=d"`, 1),
		"any name":        strings.Replace(minimal, "name: events", "name: \"ü/ 日本\"", 1),
		"long name":       strings.Replace(minimal, "name: events", "name: "+strings.Repeat("n", 200), 1),
	} {
		if _, err := config.Parse("f", []byte(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadTakesTheEnvironmentsDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tidemark.yaml")
	for _, text := range []string{minimal, strings.Replace(minimal, "database: {url: postgres://tidemark@127.0.0.1:5432/app}", "", 1)} {
		write(t, path, text)
		c, err := config.Load(path, environment("postgres://other@10.1.1.1/app"))
		if err != nil || c.Follower.Database != "postgres://other@10.1.1.1/app" {
			t.Errorf("database %v, %v", c, err)
		}
	}
	_, err := config.Load(path, environment(""))
	wantError(t, err, "read configuration: "+path+":2:1: database.url is missing: add \"url\"")
	_, err = config.Load(path, environment("postgres://u:hunter2@h:port/d"))
	wantError(t, err, "read configuration: TIDEMARK_DATABASE_URL: is not a connection string (invalid port): write postgres://user@host:5432/database, special characters in the password percent-encoded")
}

func TestLoadFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	_, err := config.Load(filepath.Join(dir, "none"), environment(""))
	wantError(t, err, "read configuration: "+dir+"/none: no such file: name one with -c")
	_, err = config.Load(dir, environment(""))
	wantError(t, err, "read configuration: "+dir+": is a directory: name a YAML file")
	big := filepath.Join(dir, "big")
	write(t, big, strings.Repeat("#\n", 5<<20))
	_, err = config.Load(big, environment(""))
	wantError(t, err, "read configuration: "+big+": is larger than 1048576 bytes: this is no configuration of Tidemark")
}

func TestSecretsDoNotShow(t *testing.T) {
	c, err := config.Parse("f", []byte(minimal+"slot: {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range []string{
		"postgres://u:hunter2@h:5432/d",
		"host=h user=u password=hunter2 dbname=d",
		"postgres://h/d?user=u&password=hunter2",
		"postgres://u:hunter2@h:nonsense/d",
	} {
		c.Follower.Database = url
		c.Readers = []string{url}
		var b strings.Builder
		slog.New(slog.NewJSONHandler(&b, nil)).Info("read", "config", c)
		for _, shown := range []string{c.String(), fmt.Sprint(*c), fmt.Sprintf("%+v %#v", c, *c), b.String()} {
			if strings.Contains(shown, "hunter2") || !strings.Contains(shown, "database") {
				t.Errorf("shown: %s", shown)
			}
		}
	}
}

func environment(url string) func(string) string {
	return func(name string) string {
		if name == "TIDEMARK_DATABASE_URL" {
			return url
		}
		return ""
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("error %v\n want %s", err, want)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{minimal, everything, "", "a: &a [*a]\n", "\t", "? x\n: y\n", "a: 1\n---\nb: 2\n", "{a: [}", "- - - x\n"} {
		f.Add([]byte(seed))
	}
	for _, c := range refusals {
		if len(c.text) < 4096 { // long ones are slow to mutate, and find nothing
			f.Add([]byte(c.text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := config.Parse("f", data)
		if (c == nil) == (err == nil) {
			t.Fatalf("configuration %v and error %v", c, err)
		}
		if err != nil && (strings.Count(err.Error(), "\n") > 0 || !strings.HasPrefix(err.Error(), "read configuration: f:")) {
			t.Fatalf("error is not one line with a place: %q", err)
		}
		if err == nil {
			_ = c.String()
		}
	})
}
