package config_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/config"
)

func replaced(old, new string) string { return strings.Replace(everything, old, new, 1) }

// refusals are mistakes; in want, the part after "read configuration: f:" comes
// first, and what follows an ellipsis is left open.
var refusals = []struct{ name, text, want string }{
	{"unknown key", replaced("reader_policy", "reader_polcy"), `5:3: unknown key "reader_polcy": did you mean "reader_policy"?`},
	{"unknown key at the top", "databse: {}\n", `1:1: unknown key "databse": did you mean "database"?`},
	{"unknown key in flow style", replaced("id_column: Id", "ü: 1, id_colum: Id"), `20:35: unknown key "ü": write one of id_column, instance_column, name, writer`},
	{"unknown key far from all", replaced("publication: mine", "zzzzzzzzzz: 1"), `12:1: unknown key "zzzzzzzzzz": write one of …`},
	{"unknown tls key", replaced("cert_file", "cert"), `27:9: unknown key "cert": did you mean "cert_file"?`},
	{"key that is a number", "1: 2\n", `1:1: a key that is not plain text: …`},
	{"complex key", "? database\n: x\n", `1:1: a key that is not plain text: …`},
	{"duplicate key", minimal + "streams: []\n", `6:1: "streams" is given twice, first in line 2: keep one`},
	{"duplicate nested key", replaced("guard: 512KiB", "name: b"), `11:3: "name" is given twice, first in line 7: keep one`},
	{"two documents", minimal + "---\n" + minimal, `6:1: a second YAML document: keep one configuration in one file`},
	{"tab", "database:\n\turl: x\n", `2:1: YAML: …`},
	{"bad yaml", "database: [\n", `1:11: YAML: …`},
	{"empty", "", `1:1: the file is empty: write at least database.url and streams`},
	{"comment only", "# nothing\n\n", `1:1: the file is empty: …`},
	{"only text", "hello\n", `1:1: the file is text: write a mapping of keys`},
	{"only a list", "- a\n", `1:1: the file is a list: write a mapping of keys`},
	{"binary", "a: \x00\n", `1:4: control character U+0000: remove it`},
	{"latin-1", "# \xfc\n", `1:3: not UTF-8: save the file as UTF-8 text`},
	{"cut character", "a: \xe2\x82", `1:4: not UTF-8: save the file as UTF-8 text`},
	{"anchor", replaced("url: postgres", "url: &a postgres"), `2:8: database.url uses a YAML anchor, alias or tag: write the value out`},
	{"alias", replaced("publication: mine", "publication: *a"), `12:14: publication uses a YAML anchor, alias or tag: write the value out`},
	{"bomb", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n", `1:1: unknown key "a": …`},
	{"merge", "<<: {a: 1}\n", `1:1: a key that is not plain text: …`},
	{"deep", "streams: " + strings.Repeat("[", 10_000), `1:42: nested too deeply: …`},
	{"deep block", "streams:\n" + strings.Repeat("- ", 8_000), `2:65: nested too deeply: …`},
	{"many keys", strings.Repeat("k: v\n", 100_000), `16667:4: more values than a configuration can hold: shorten the file`},
	{"huge", strings.Repeat("#", 1<<20+1), `1:1: larger than 1048576 bytes: this is no configuration of Tidemark`},

	{"long line", "a: b\n" + strings.Repeat("\"@\t", 100_000), `2:1: a line longer than 16384 bytes: break it`},

	{"no database", "streams: []\n", `1:1: database.url is missing: add "url"`},
	{"no url", "log: {}\ndatabase:\n  readers: []\nstreams: []\n", `3:3: database.url is missing: add "url"`},
	{"no streams", "database: {url: \"host=h\"}\n", `1:1: streams is missing: add "streams"`},
	{"no streams in it", "database: {url: \"host=h\"}\nstreams: []\n", `2:10: streams is empty: name at least one stream`},
	{"streams empty", "database: {url: \"host=h\"}\nstreams:\nlog: {}\n", `2:9: streams is empty: name at least one stream`},
	{"stream without tables", replaced("    tables:\n", "    #\n"), `20:7: YAML: …`},
	{"tables missing", "database: {url: \"host=h\"}\nstreams:\n  - name: a\n", `3:5: streams[0].tables is missing: add "tables"`},
	{"tables empty", "database: {url: \"host=h\"}\nstreams:\n  - name: a\n    tables: []\n", `4:13: stream "a" has no tables: name at least one table`},
	{"name missing", replaced("  - name: events\n    alloc", "  - alloc"), `14:5: streams[0].name is missing: add "name"`},
	{"id_column missing", replaced(", id_column: id, writer", ", writer"), `21:9: streams[0].tables[1].id_column is missing: add "id_column"`},

	{"section is a list", replaced("log: {level: debug, format: json}", "log: []"), `31:6: log is a list: write a mapping of keys`},
	{"list is text", replaced("[a, \"b\"]", "a"), `18:14: streams[0].writers is text: write a list`},
	{"text is a number", replaced("name: events", "name: 12"), `14:11: streams[0].name is a number: write text (quoted where it looks like something else)`},
	{"text is empty", replaced("publication: mine", "publication:"), `12:13: publication is empty: write text …`},
	{"bool is text", replaced("failover: true", "failover: yes"), `9:13: slot.failover is text: write true or false`},
	{"size without unit", replaced("1GiB", "1000"), `10:15: slot.skip_ahead is not a size: write 0, or a whole number and B, KiB, MiB or GiB, as in 256MiB`},
	{"size overflows", replaced("1GiB", "8589934592GiB"), `10:15: slot.skip_ahead is not a size: …`},
	{"size negative", replaced("512KiB", "-1B"), `11:10: slot.guard is not a size: …`},
	{"size in hex", replaced("512KiB", "0x10B"), `11:10: slot.guard is not a size: …`},
	{"duration bare", replaced("1m30s", "90"), `4:19: database.reader_timeout is not a duration above zero: write a number and ms, s, m or h, as in 30s`},
	{"duration zero", replaced("1m30s", "0s"), `4:19: database.reader_timeout is not a duration above zero: …`},
	{"duration overflows", replaced("1m30s", "99999999999h"), `4:19: database.reader_timeout is not a duration above zero: …`},
	{"duration signed", replaced("1m30s", "-5s"), `4:19: database.reader_timeout is not a duration above zero: …`},
	{"max_connections zero", replaced("max_connections: 5", "max_connections: 0"), `28:20: http.max_connections is not a number in range: write a whole number from 1 to 1000000`},
	{"max_connections_per_client", replaced("max_connections: 5", "max_connections_per_client: -1"), `28:31: http.max_connections_per_client is not a number in range: write a whole number from 0 to 1000000`},
	{"max_connections text", replaced("max_connections: 5", "max_connections: many"), `28:20: http.max_connections is not a number in range: …`},
	{"public", replaced("page]", "pages]"), `29:21: http.public[1] is "pages": use metrics or page`},
	{"public is no list", replaced("[metrics, page]", "page"), `29:11: http.public is text: write a list`},
	{"policy", replaced("drop", "stop"), `5:18: database.reader_policy is "stop": use halt or drop`},
	{"allocation", replaced("announced", "before"), `15:17: streams[0].allocation is "before": use transaction or announced`},
	{"direction", replaced("descending", "down"), `16:16: streams[0].direction is "down": use ascending or descending`},
	{"level", replaced("debug", "loud"), `31:14: log.level is "loud": use debug, info, warn or error`},
	{"format", replaced("json", "xml"), `31:29: log.format is "xml": use auto, text or json`},
	{"slot name", replaced("name: mine", "name: My-Slot"), `7:9: slot.name is "My-Slot", which is not a slot's name: write 1 to 63 of a-z, 0-9 and _`},
	{"publication long", replaced("publication: mine", "publication: "+strings.Repeat("p", 64)), `12:14: publication is 64 bytes long: PostgreSQL names have at most 63`},
	{"publication long for announced", replaced("publication: mine", "publication: "+strings.Repeat("p", 54)), `12:14: publication is 54 bytes long: use at most 53, …`},
	{"table name", replaced("name: other", "name: a.b.c"), `21:16: streams[0].tables[1].name is "a.b.c", which is not a name as SQL writes it: …`},
	{"table quote", replaced("'public.\"Events\"'", "'public.\"Events'"), `20:16: streams[0].tables[0].name is "public.\"Events", …`},
	{"table with SQL", replaced("name: other", "name: \"other; drop\""), `21:16: streams[0].tables[1].name is "other; drop", …`},
	{"column empty", replaced("id_column: Id", "id_column: ''"), `20:46: streams[0].tables[0].id_column is empty: write the exact name, without quotes`},
	{"listen", replaced("0.0.0.0:80", "8474"), `25:11: http.listen is a number: …`},
	{"listen without port", replaced("0.0.0.0:80", "localhost"), `25:11: http.listen is "localhost", which is not an address: write host:port, as in 127.0.0.1:8474`},
	{"listen port", replaced("0.0.0.0:80", "localhost:65536"), `25:11: http.listen is "localhost:65536", …`},
	{"stream name long", replaced("name: events", "name: "+strings.Repeat("ü", 101)), `14:11: streams[0].name is 202 bytes long: use at most 200`},
	{"stream name empty", replaced("name: events", `name: ""`), `14:11: streams[0].name is empty: name the stream`},
	{"stream name control", replaced("name: events", `name: "a\nb"`), `14:11: streams[0].name holds a control character: remove it`},

	{"duplicate stream", minimal + "  - {name: events, tables: [{name: b, id_column: id}]}\n", `6:12: stream "events" is there twice: give each stream a name of its own`},
	{"duplicate table", minimal + "  - {name: b, tables: [{name: public.EVENTS, id_column: id}]}\n", `6:31: table "public.EVENTS" already belongs to stream "events": a table has one ascending and one descending stream at most`},
	{"stream table is published", minimal + "published: {table: public.events}\n", `5:16: table "public.events" is published.table too: …`},
	{"writers of transaction", replaced("announced", "transaction"), `18:14: writers of the transaction stream "events": remove writers, or set allocation: announced`},
	{"writer twice", replaced(`[a, "b"]`, "[a, a]"), `18:18: writer "a" is empty or there twice: list each writer once`},
	{"writer and column", replaced("id_column: id,", "id_column: id, instance_column: i,"), `21:66: both instance_column and writer are given: …`},
	{"failover of temporary", replaced("temporary: false", "temporary: true"), `9:13: a temporary slot cannot fail over: remove failover or temporary`},
	{"permanent slot on a standby", replaced("failover: true", "standby: postgres://b/app"), `9:12: a slot on a standby must be a temporary one: set slot.temporary to true, or remove standby`},
	{"several standbys", replaced("failover: true", "standby: 'postgres://b,c/app'"), `9:12: slot.standby names several hosts: …`},
	{"announced without positions", replaced("public.positions", `""`), `22:18: the announced stream "events" needs a positions_table: name the table that its writers keep up to date`},
	{"positions are published", replaced("table: public.kept", "table: public.positions"), `22:18: positions_table is published.table too: …`},
	{"open without token", replaced("/etc/token", `""`), `25:11: http.listen "0.0.0.0:80" is open to others without a token: set http.token_file, or listen on 127.0.0.1`},
	{"open on all", minimal + "http: {listen: ':80'}\n", `6:16: http.listen ":80" is open …`},
	{"certificate without key", replaced(", key_file: k.pem", ""), `27:20: a certificate without its key: set http.tls.key_file`},
	{"key without certificate", replaced("cert_file: c.pem, ", ""), `27:19: a key without its certificate: set http.tls.cert_file`},
	{"reader twice", replaced(`"host=10.0.0.3 user=r dbname=app"`, "postgres://r@10.0.0.2/app"), `3:40: the reader is listed twice: list each standby once`},
	{"reader of several hosts", replaced("postgres://r@10.0.0.2/app", "'postgres://r@10.0.0.2,10.0.0.4/app'"), `3:13: database.readers[0] names several hosts: list each standby as a reader of its own`},
	{"first of several", replaced("drop", "stop") + "zzz: 1\n", `5:18: database.reader_policy is "stop": …`},
}

func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			_, err := config.Parse("f", []byte(c.text))
			if err == nil {
				t.Fatal("accepted")
			}
			if _, ok := errors.AsType[*config.Error](err); !ok {
				t.Errorf("error of type %T", err)
			}
			got, _ := strings.CutPrefix(err.Error(), "read configuration: f:")
			want, open := strings.CutSuffix(c.want, "…")
			if got != want && !(open && strings.HasPrefix(got, want)) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if strings.Contains(got, "\n") {
				t.Errorf("more than one line: %q", got)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// A string that cannot be parsed cannot be told apart into password and rest:
// nothing of it may show, in no form.
func TestURLErrorsShowNoPassword(t *testing.T) {
	for _, url := range []string{
		"postgres://u:hunter2@h:port/d",
		"postgres://u:hunt%er2@h/d",
		"postgres://u:@hunter2@h/d",
		"postgres://u:1/hunter2@h/d",
		"postgres://u:x#hunter2@h:p/d",
		"postgres://h/d?password=hunter2&sslmode=nonsense",
		"postgres://h/d?pass%77ord=hunter2&connect_timeout=x",
		"postgres://u:hunter2@h/d?sslrootcert=/nowhere/ca.pem&sslmode=verify-full",
		"postgres://u:hunter2@[::1/d",
		"host=h password=hunter2 port=x",
		"host=h password='hunter2",
		"host=h password=my hunter2",
		"host=h password=a\\ b hunter2",
		"hunter2",
		"mysql://u:hunter2@h/d",
	} {
		for _, key := range []string{"{url: %s}", "{url: host=h, readers: [%s]}"} {
			text := "database: " + strings.Replace(key, "%s", "'"+strings.ReplaceAll(url, "'", "''")+"'", 1) + "\nstreams: []\n"
			_, err := config.Parse("f", []byte(text))
			if err == nil || strings.Contains(err.Error(), "hunter") || strings.Contains(err.Error(), "er2") {
				t.Errorf("%s: %v", url, err)
			} else if !strings.HasPrefix(err.Error(), "read configuration: f:1:1") && !strings.HasPrefix(err.Error(), "read configuration: f:1:3") {
				t.Errorf("%s: not the value's place: %v", url, err)
			}
		}
	}
}
