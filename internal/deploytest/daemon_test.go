package deploytest_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// daemon is the program as `tidemark run`.
type daemon struct {
	url  string
	stop func() (logged string) // in good order
}

// startDaemon runs the program with a configuration that listens on port 8474,
// for which it takes one of this machine's. It has to end well, and may log no
// error.
func startDaemon(t *testing.T, config string, env ...string) *daemon {
	t.Helper()
	address := freeAddress(t)
	config = strings.NewReplacer("0.0.0.0:8474", address, "127.0.0.1:8474", address).Replace(config)
	cmd := exec.Command(os.Getenv(programVariable), "run", "-c", write(t, "tidemark.yaml", config))
	cmd.Env = append(os.Environ(), env...)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &daemon{url: "http://" + address}
	d.stop = sync.OnceValue(func() string {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil || strings.Contains(said.String(), `"level":"ERROR"`) {
			t.Errorf("the daemon ended: %v\n%s", err, said.String())
		}
		return said.String()
	})
	t.Cleanup(func() { d.stop() })
	return d
}

// freeAddress is an address that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get asks the daemon.
func (d *daemon) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return 0, err.Error() // it does not listen yet
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// await asks until the answer is 200 and says what is wanted.
func (d *daemon) await(t *testing.T, path, want string) (body string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // nothing tells of all that is asked for here
		status, body := d.get(t, path)
		if status == http.StatusOK && strings.Contains(body, want) {
			return body
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %d, want %q in\n%s", path, status, want, body)
		}
	}
}

// The program does all that it does with the role, with no complaint: it
// follows streams of both kinds, makes its slot anew, watches and guards slots,
// keeps positions and tells them.
func TestDaemonRunsWithTheRole(t *testing.T) {
	t.Parallel()
	pgtest.EachMajor(t, func(t *testing.T, version pgtest.Option) {
		t.Parallel()
		for _, announced := range []bool{false, true} {
			c, file := newShop(t, version, announced, pgtest.Setting("max_slot_wal_keep_size", "1GB"))
			if announced { // its writer, who starts anew
				mustPsql(t, c, "shop", "INSERT INTO stream_positions VALUES ('orders', 'a', 1)")
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			d := startDaemon(t, string(text)+"slot: {guard: 1GiB}\nhttp: {listen: 127.0.0.1:8474}\npublished: {notify: moves}\n")
			d.await(t, "/readyz", "ok")
			mustPsql(t, c, "shop", "INSERT INTO sales.orders (instance_name) VALUES ('a')")
			if announced {
				mustPsql(t, c, "shop", "UPDATE stream_positions SET stream_id = 2")
			}
			succeeds(t, "wait", "orders", "2", "--url", d.url)
			for _, args := range [][]string{{"status", "--url", d.url}, {"slots", "-c", file}, {"slots", "--database", c.URL("tidemark", "shop")}} {
				if out := succeeds(t, args...); !strings.Contains(out, "orders") && !strings.Contains(out, "tidemark") {
					t.Errorf("tidemark %v says\n%s", args, out)
				}
			}
			d.await(t, "/v1/slots", `"safe_wal_bytes":1`)
			wholeScrape(t, d.await(t, "/metrics", `tidemark_writer_position{stream="orders",writer="a"} 2`))
			if logged := d.stop(); strings.Contains(logged, `"level":"WARN"`) {
				t.Errorf("announced %t: the daemon complains:\n%s", announced, logged)
			}
		}
	})
}

// wholeScrape wants every metric that there is in what a real daemon tells of
// a server, with its type, and nothing that promtool does not like.
func wholeScrape(t *testing.T, scrape string) {
	t.Helper()
	for name, m := range metrics(t) {
		family, _, histogram := strings.Cut(name, "_seconds_")
		switch {
		case histogram:
			name, m.kind = family+"_seconds", "histogram"
		case name == "up": // Prometheus' own
			continue
		}
		if !strings.Contains(scrape, "# TYPE "+name+" "+m.kind+"\n") {
			t.Errorf("no %s %s in\n%s", m.kind, name, scrape)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not installed: make deploy-test installs it")
		return
	}
	for text, clean := range map[string]bool{scrape: true, "# TYPE moves counter\nmoves 1\n": false} {
		check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
		check.Stdin = strings.NewReader(text)
		if out, err := check.CombinedOutput(); clean != (err == nil && len(out) == 0) {
			t.Errorf("promtool check metrics: %v\n%s", err, out)
		}
	}
}
