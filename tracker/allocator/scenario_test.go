package allocator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

// step is a step of a scenario: an operation or an expectation. A field that
// is not here fails the test.
type step struct {
	Op          string   `json:"op"`
	Instance    string   `json:"instance"`
	Name        string   `json:"name"`
	Writers     []string `json:"writers"`
	Tables      []string `json:"tables"`
	Table       string   `json:"table"`
	Positive    *bool    `json:"positive"`
	SetVal      bool     `json:"setval"`
	UpdateTable *bool    `json:"update_stream_table"`
	Rows        [][]any  `json:"rows"`
	Gen         string   `json:"gen"`
	Handle      string   `json:"handle"`
	N           int      `json:"n"`
	ID          int64    `json:"id"`
	Writer      string   `json:"writer"`
	Txn         string   `json:"txn"`
	Success     *bool    `json:"success"`
	WantIDs     []int64  `json:"want_ids"`

	Expect    string           `json:"expect"`
	Positions map[string]int64 `json:"positions"`
	Tok       map[string]int64 `json:"tok"`
	Upto      *int64           `json:"upto"`
	Cur       *int64           `json:"cur"`
	MinLocal  *int64           `json:"minlocal"`
}

// player plays steps on a server.
type player struct {
	*site
	generators map[string]*Allocator
	order      []string
	handles    map[string]*Handle
	txs        map[string]pgx.Tx
	checked    int
}

func scenarios(t *testing.T) map[string][]step {
	t.Helper()
	text, err := os.ReadFile("testdata/scenarios.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][]step
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// differences are expectations of the reference that we do not share, by
// scenario and number of the step, with what holds here instead.
//
//tidemark:readonly
var differences = map[string]map[int]struct {
	why  string
	step step
}{
	"base/empty": {2: {"a never-called sequence: nobody has drawn id 1, so it is not done", step{
		Positions: map[string]int64{"master": 0},
	}}},
	"backwards/multiple_instance": {
		7: {"a never-called sequence: second has drawn nothing, and has told first nothing", step{
			Positions: map[string]int64{"first": -1}, Upto: new(int64(-1)),
		}},
		8: {"a never-called sequence: second has drawn nothing", step{
			Positions: map[string]int64{"first": -1, "second": 0}, Upto: new(int64(-1)),
		}},
	},
	"worker/current_token_gap": {15: {"further ahead, provably: the sequence has passed 11 by the draw of 12, so all of second's ids up to 11 are done", step{
		Tok: map[string]int64{"first": 11, "second": 11}, Cur: new(int64(7)),
	}}},
	"worker/writer_config_change": {15: {"H1: first is listed and has no position, so it may hold any id", step{
		Upto: new(int64(0)), Tok: map[string]int64{"first": 0, "third": 6},
	}}},
}

func TestReferenceScenarios(t *testing.T) {
	t.Parallel()
	s := server(t, pgtest.Setting("wal_writer_delay", "10ms"))
	checked := 0
	for _, name := range slices.Sorted(maps.Keys(scenarios(t))) {
		steps := scenarios(t)[name]
		t.Run(name, func(t *testing.T) {
			own := *s
			own.t = t
			p := &player{site: &own}
			for i, st := range steps {
				if d, ok := differences[name][i]; ok {
					t.Logf("step %d differs from the reference: %s", i, d.why)
					d.step.Expect = st.Expect
					st = d.step
				}
				p.play(i, st)
			}
			p.closeAll()
			checked += p.checked
		})
	}
	if checked != 129 {
		t.Errorf("%d values checked, want all 129", checked)
	}
}

func (p *player) play(i int, st step) {
	p.t.Helper()
	if err := p.do(st); err != nil {
		p.t.Fatalf("step %d %+v: %v", i, st, err)
	}
}

func (p *player) do(st step) error {
	switch st.Op {
	case "":
		return p.expect(st)
	case "reset":
		return p.reset(st.Tables)
	case "insert_rows":
		return p.insertRows(st)
	case "insert_row":
		return p.insertRow(st)
	case "insert":
		for _, row := range st.Rows {
			p.exec("INSERT INTO foobar VALUES ($1, $2)", int64(row[0].(float64)), row[1])
		}
		return nil
	case "new":
		return p.open(st)
	case "get_next":
		return p.draw(st, func(a *Allocator, n int) (*Handle, error) { return a.NextN(p.t.Context(), n) })
	case "finish":
		return p.finish(st)
	case "txn_begin":
		tx, err := p.pool.Begin(p.t.Context())
		p.txs[st.Txn] = tx
		return err
	case "get_next_txn":
		return p.draw(st, func(a *Allocator, n int) (*Handle, error) { return a.NextNTx(p.t.Context(), p.txs[st.Txn], n) })
	case "txn_end":
		if st.Success == nil || *st.Success {
			return p.txs[st.Txn].Commit(p.t.Context())
		}
		return p.txs[st.Txn].Rollback(p.t.Context())
	case "advance":
		p.generators[st.Gen].Advance(st.Writer, st.ID)
		return nil
	case "replicate_all":
		p.replicate(p.order)
		return nil
	case "replicate":
		p.replicate([]string{st.Instance})
		return nil
	}
	return fmt.Errorf("unknown operation %q", st.Op)
}

func (p *player) reset(tables []string) error {
	p.closeAll()
	if len(tables) == 0 {
		tables = []string{"foobar"}
	}
	p.exec(`DROP TABLE IF EXISTS foobar, foobar1, foobar2, stream_positions; DROP SEQUENCE IF EXISTS foobar_seq;
		CREATE SEQUENCE foobar_seq; CREATE TABLE stream_positions (stream_name text, instance_name text, stream_id bigint);
		CREATE UNIQUE INDEX ON stream_positions (stream_name, instance_name)`)
	for _, table := range tables {
		p.exec("CREATE TABLE " + table + " (stream_id bigint, instance_name text, data text)")
	}
	p.generators, p.handles, p.txs = map[string]*Allocator{}, map[string]*Handle{}, map[string]pgx.Tx{}
	p.order = nil
	return nil
}

func (p *player) closeAll() {
	for _, tx := range p.txs {
		_ = tx.Rollback(p.t.Context())
	}
	for _, a := range p.generators {
		_ = a.Close(p.t.Context())
	}
}

const storePosition = `INSERT INTO stream_positions VALUES ('test_stream', $1, $2)
	ON CONFLICT (stream_name, instance_name) DO UPDATE SET stream_id = excluded.stream_id`

func (p *player) insertRows(st step) error {
	table := st.Table
	if table == "" {
		table = "foobar"
	}
	for range st.N {
		p.exec("INSERT INTO "+table+" SELECT nextval('foobar_seq'), $1", st.Instance)
	}
	if st.UpdateTable == nil || *st.UpdateTable {
		p.exec(storePosition, st.Instance, p.number("SELECT last_value FROM foobar_seq"))
	}
	return nil
}

func (p *player) insertRow(st step) error {
	p.exec("INSERT INTO foobar VALUES ($1, $2)", st.ID, st.Instance)
	if st.SetVal {
		p.exec("SELECT setval('foobar_seq', $1)", st.ID)
	}
	p.exec(storePosition, st.Instance, max(st.ID, -st.ID))
	return nil
}

func (p *player) open(st step) error {
	if old := p.generators[st.Name]; old != nil {
		if err := old.Close(p.t.Context()); err != nil {
			return err
		}
	}
	c := p.config(st.Instance, st.Writers...)
	c.Descending = st.Positive != nil && !*st.Positive
	c.IdleInterval = time.Hour // an idle writer of the reference announces nothing
	c.Tables = nil
	if len(st.Tables) == 0 {
		st.Tables = []string{"foobar"}
	}
	for _, table := range st.Tables {
		c.Tables = append(c.Tables, Table{Name: table, IDColumn: "stream_id", InstanceColumn: "instance_name"})
	}
	a, err := Open(p.t.Context(), p.pool, c)
	if err != nil {
		return err
	}
	p.closeAtEnd(a)
	if p.generators[st.Name] == nil {
		p.order = append(p.order, st.Name)
	}
	p.generators[st.Name] = a
	return nil
}

func (p *player) draw(st step, draw func(*Allocator, int) (*Handle, error)) error {
	h, err := draw(p.generators[st.Gen], max(st.N, 1))
	if err != nil {
		return err
	}
	if st.WantIDs != nil && !slices.Equal(h.IDs(), st.WantIDs) {
		return fmt.Errorf("drew %v", h.IDs())
	}
	if st.WantIDs != nil {
		p.checked++
	}
	p.handles[st.Handle] = h
	return nil
}

func (p *player) finish(st step) error {
	var err error
	if st.Success != nil && !*st.Success {
		err = errors.New("the write failed")
	}
	h := p.handles[st.Handle]
	failed := h.Finish(p.t.Context(), err)
	p.settle(h.a)
	return failed
}

// settle waits until everything that has ended is on disk.
func (p *player) settle(a *Allocator) {
	p.await("what has ended is on disk", func() bool {
		a.book.mu.Lock()
		defer a.book.mu.Unlock()
		_, waits := a.book.writer.Awaits()
		return !waits
	})
}

func (p *player) replicate(instances []string) {
	for _, from := range instances {
		token := p.generators[from].CurrentTokenForWriter(from)
		for _, to := range p.order {
			if to != from {
				p.generators[to].Advance(from, token)
			}
		}
	}
}

// expect waits for up to a second: what is done must first be on disk.
func (p *player) expect(st step) error {
	var err error
	for end := time.Now().Add(time.Second); ; time.Sleep(2 * time.Millisecond) {
		if err = p.compare(st); err == nil || time.Now().After(end) {
			break
		}
	}
	for _, values := range []map[string]int64{st.Positions, st.Tok} {
		p.checked += min(len(values), 1)
	}
	for _, value := range []*int64{st.Upto, st.Cur, st.MinLocal} {
		if value != nil {
			p.checked++
		}
	}
	return err
}

func (p *player) compare(st step) error {
	a := p.generators[st.Expect]
	if got := a.Positions(); st.Positions != nil && !maps.Equal(got, st.Positions) {
		return fmt.Errorf("positions %v", got)
	}
	for writer, want := range st.Tok {
		if got := a.CurrentTokenForWriter(writer); got != want {
			return fmt.Errorf("token of %s %d", writer, got)
		}
	}
	for name, value := range map[string]struct {
		want *int64
		got  int64
	}{
		"upto": {st.Upto, a.PersistedUpTo()}, "cur": {st.Cur, a.CurrentToken()}, "minlocal": {st.MinLocal, a.MinimalLocalToken()},
	} {
		if value.want != nil && *value.want != value.got {
			return fmt.Errorf("%s %d", name, value.got)
		}
	}
	return nil
}
