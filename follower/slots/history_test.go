package slots_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/slots"
)

const mib = 1 << 20

func ptr[T any](v T) *T { return &v }

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// course feeds a History with one slot, called s.
type course struct {
	history slots.History
	elapsed time.Duration
	sample  slots.Sample
}

func newCourse() *course {
	c := &course{sample: slots.Sample{System: "1", Timeline: "1", WAL: 100 * mib, Slots: []slots.SlotSample{{
		Name: "s", Plugin: "pgoutput", Database: "app", WALStatus: ptr("reserved"),
		RestartLSN: ptr(slots.LSN(100 * mib)), ConfirmedFlushLSN: ptr(slots.LSN(100 * mib)),
	}}}}
	return c
}

func (c *course) slot() *slots.SlotSample { return &c.sample.Slots[0] }

// reader connects a consumer.
func (c *course) reader(pid int32) {
	s := c.slot()
	s.Active, s.ActivePID, s.InactiveSince = true, &pid, nil
	s.Consumer = &slots.Consumer{ApplicationName: ptr("app"), User: ptr("u"), State: ptr("streaming")}
}

// confirm confirms all but so many bytes, and keeps them.
func (c *course) confirm(but int64) {
	lsn := c.sample.WAL - slots.LSN(but)
	c.slot().ConfirmedFlushLSN, c.slot().RestartLSN = &lsn, &lsn
}

// write writes WAL, and limits what is left of a limit.
func (c *course) write(bytes int64) {
	c.sample.WAL += slots.LSN(bytes)
	if left := c.slot().SafeWALSize; left != nil {
		c.slot().SafeWALSize = ptr(*left - bytes)
	}
}

func (c *course) limit(keep, left int64) {
	c.sample.KeepSize, c.slot().SafeWALSize = &keep, &left
}

// after takes a sample so long after the one before.
func (c *course) after(d time.Duration) slots.Slot {
	c.elapsed += d
	s := c.sample
	s.Time = start.Add(c.elapsed)
	s.Slots = slices.Clone(s.Slots)
	r := c.history.Add(time.Time{}.Add(time.Hour+c.elapsed), s)
	return r.Slots[0]
}

// each takes a sample every five seconds after doing.
func (c *course) each(d time.Duration, doing func()) (s slots.Slot) {
	for ; d > 0; d -= 5 * time.Second {
		doing()
		s = c.after(5 * time.Second)
	}
	return s
}

// judged is a course that must end in a verdict, for a reason.
type judged struct {
	name   string
	run    func(c *course) slots.Slot
	want   slots.Verdict
	reason string
}

// unread are courses of a slot that nobody reads.
func unread() []judged {
	return []judged{
		{"new and unread", func(c *course) slots.Slot { return c.after(0) }, slots.VerdictOK, "it keeps 0 B of WAL, with nobody connected"},
		{"unread for 59 s", func(c *course) slots.Slot { c.after(0); return c.after(59 * time.Second) }, slots.VerdictOK, "for at least 59 s"},
		{"unread for 60 s", func(c *course) slots.Slot { c.after(0); return c.after(60 * time.Second) }, slots.VerdictInactive, "nobody has been connected for at least 1 min and it keeps 0 B of WAL: start its consumer, or, if it has none any more, SELECT pg_drop_replication_slot('s')"},
		{"unread for long, as the server says", func(c *course) slots.Slot {
			c.slot().InactiveSince = ptr(start.Add(-2 * time.Hour))
			return c.after(time.Second)
		}, slots.VerdictInactive, "for 2 h and"},
		{"unread with 64 MiB", func(c *course) slots.Slot { c.after(0); c.write(64 * mib); return c.after(time.Second) }, slots.VerdictInactive, "keeps 64 MiB of WAL, more by 64 MiB/s"},
		{"unread with a little less", func(c *course) slots.Slot { c.after(0); c.write(64*mib - 1); return c.after(time.Second) }, slots.VerdictOK, "nobody connected for at least 1 s"},
		{"polled by SQL", func(c *course) slots.Slot {
			return c.each(10*time.Minute, func() { c.write(mib); c.confirm(0) })
		}, slots.VerdictOK, ""},
		{"copy on a standby", func(c *course) slots.Slot {
			c.slot().Synced = ptr(true)
			return c.each(10*time.Minute, func() { c.write(10 * mib) })
		}, slots.VerdictLagging, "1.2 GiB of WAL behind, 9 min 55 s old: see whether this standby still synchronises slots (sync_replication_slots)"},
		{"lost", func(c *course) slots.Slot {
			c.sample.KeepSize = ptr(int64(mib))
			c.slot().WALStatus, c.slot().RestartLSN, c.slot().InvalidationReason = ptr("lost"), nil, ptr("wal_removed")
			return c.after(0)
		}, slots.VerdictLost, "lost for good, the server has removed WAL that it needs (max_slot_wal_keep_size = 1 MiB): SELECT pg_drop_replication_slot('s') and"},
		{"invalidated", func(c *course) slots.Slot {
			c.slot().InvalidationReason = ptr("idle_timeout")
			return c.after(0)
		}, slots.VerdictLost, "(idle_timeout)"},
		{"conflicting on 16", func(c *course) slots.Slot {
			c.slot().Conflicting = ptr(true)
			return c.after(0)
		}, slots.VerdictLost, "conflicted with recovery"},
		{"a fifth left", func(c *course) slots.Slot { c.limit(100*mib, 20*mib); return c.after(0) }, slots.VerdictOK, ""},
		{"less than a fifth left", func(c *course) slots.Slot { c.limit(100*mib, 20*mib-1); return c.after(0) }, slots.VerdictAtRisk, "the server gives the slot up after 20 MiB more of WAL (max_slot_wal_keep_size = 100 MiB): start"},
		{"nothing left", func(c *course) slots.Slot {
			c.limit(100*mib, 0)
			c.slot().WALStatus = ptr("unreserved")
			return c.after(0)
		}, slots.VerdictAtRisk, "may give the slot up at the next checkpoint (max"},
		{"ten minutes left", func(c *course) slots.Slot {
			c.limit(2000*mib, 1202*mib)
			c.after(0)
			c.write(2 * mib)
			return c.after(time.Second)
		}, slots.VerdictOK, ""},
		{"under ten minutes left", func(c *course) slots.Slot {
			c.limit(2000*mib, 1200*mib)
			c.after(0)
			c.write(2 * mib)
			return c.after(time.Second)
		}, slots.VerdictAtRisk, "in 9 min 59 s at 2 MiB/s"},
	}
}

func idle() {}

// read are courses of a slot with a consumer.
func read() []judged {
	return []judged{
		{"under ten minutes left, but it keeps up", func(c *course) slots.Slot {
			c.reader(7)
			c.limit(2000*mib, 1200*mib)
			return c.each(time.Minute, func() { c.write(50 * mib); c.confirm(0); c.limit(2000*mib, 1200*mib) })
		}, slots.VerdictOK, ""},
		{"idle, with a consumer", func(c *course) slots.Slot {
			c.reader(7)
			return c.each(10*time.Minute, idle)
		}, slots.VerdictOK, "0 B behind, it keeps 0 B of WAL"},
		{"a consumer that leaves some noise", func(c *course) slots.Slot {
			c.reader(7)
			c.write(200)
			return c.each(10*time.Minute, idle)
		}, slots.VerdictOK, "200 B behind"},
		{"a consumer that confirms all, each 25 s", func(c *course) slots.Slot {
			c.reader(7)
			n := 0
			return c.each(10*time.Minute, func() {
				c.write(mib)
				if n++; n%5 == 0 {
					c.confirm(0)
				}
			})
		}, slots.VerdictOK, ""},
		{"stalled", func(c *course) slots.Slot {
			c.reader(7)
			c.after(0)
			c.write(300)
			c.after(5 * time.Second)
			return c.after(30 * time.Second)
		}, slots.VerdictStalled, "pid 7 (app) is connected and has confirmed nothing for at least 35 s, 300 B of WAL wait for it: see what keeps pid 7 (app) from confirming"},
		{"not yet stalled", func(c *course) slots.Slot {
			c.reader(7)
			c.after(0)
			c.write(300)
			c.after(5 * time.Second)
			return c.after(29 * time.Second)
		}, slots.VerdictOK, ""},
		{"quiet for an hour, then written", func(c *course) slots.Slot {
			c.reader(7)
			c.each(time.Hour, idle)
			c.write(300)
			return c.after(5 * time.Second)
		}, slots.VerdictOK, ""},
		{"stalled from the first look on", func(c *course) slots.Slot {
			c.reader(7)
			c.write(mib)
			c.after(0)
			return c.after(30 * time.Second)
		}, slots.VerdictStalled, "1 MiB of WAL wait"},
		{"a new consumer has its time", func(c *course) slots.Slot {
			c.reader(7)
			c.write(mib)
			c.after(0)
			c.reader(8)
			return c.after(30 * time.Second)
		}, slots.VerdictOK, ""},
		{"waits for a standby of synchronized_standby_slots", func(c *course) slots.Slot {
			c.reader(7)
			c.slot().Consumer.WaitEvent = ptr("WaitForStandbyConfirmation")
			c.write(mib)
			c.after(0)
			return c.after(30 * time.Second)
		}, slots.VerdictStalled, "bring back the standbys of synchronized_standby_slots"},
		{"being created", func(c *course) slots.Slot {
			c.reader(7)
			c.slot().ConfirmedFlushLSN = nil
			c.sample.Transactions = []slots.Transaction{{XID: "5", PID: ptr(int32(9)), Since: ptr(start.Add(-time.Hour))}}
			return c.each(40*time.Second, func() { c.write(300) })
		}, slots.VerdictStalled, "still being created after at least 35 s: end the transaction of pid 9, open for 1 h"},
		{"being created for a moment", func(c *course) slots.Slot {
			slot := c.sample.Slots[0]
			c.sample.Slots = []slots.SlotSample{{Name: "a"}}
			c.after(0) // it is not there yet
			c.sample.Slots[0] = slot
			c.reader(7)
			c.slot().ConfirmedFlushLSN = nil
			c.sample.Transactions = []slots.Transaction{{XID: "5", PID: ptr(int32(9)), ApplicationName: ptr("night"), Since: ptr(start.Add(-time.Hour))}}
			c.after(time.Second)
			return c.after(5 * time.Second)
		}, slots.VerdictOK, "being created for 5 s, which waits for the transaction of pid 9 (night) to end"},
		{"confirmed once, then stalled", func(c *course) slots.Slot {
			c.reader(7)
			c.after(0)
			c.write(mib)
			c.confirm(300)
			c.after(5 * time.Second)
			c.write(300)
			c.after(5 * time.Second)
			return c.after(30 * time.Second)
		}, slots.VerdictStalled, "has confirmed nothing for 35 s, 600 B"},
		{"left alone while it is watched", func(c *course) slots.Slot {
			c.reader(7)
			c.after(0)
			c.slot().Active, c.slot().ActivePID, c.slot().Consumer = false, nil, nil
			c.after(5 * time.Second)
			return c.after(70 * time.Second)
		}, slots.VerdictInactive, "nobody has been connected for 1 min 10 s"},
		{"64 MiB behind", func(c *course) slots.Slot { c.reader(7); c.write(64 * mib); return c.after(0) }, slots.VerdictLagging, "64 MiB of WAL behind: let pid 7 (app) catch up"},
		{"a little less behind", func(c *course) slots.Slot { c.reader(7); c.write(64*mib - 1); return c.after(0) }, slots.VerdictOK, "64 MiB behind"},
		{"60 s behind", func(c *course) slots.Slot {
			c.reader(7)
			return c.each(3*time.Minute, func() { c.write(mib); c.confirm(14 * mib) })
		}, slots.VerdictLagging, "14 MiB of WAL behind, 1 min 5 s old"},
		{"50 s behind", func(c *course) slots.Slot {
			c.reader(7)
			return c.each(3*time.Minute, func() { c.write(mib); c.confirm(11 * mib) })
		}, slots.VerdictOK, ""},
		{"60 s behind, as the walsender says", func(c *course) slots.Slot {
			c.reader(7)
			c.slot().Consumer.FlushLag = ptr(60.0)
			c.write(mib)
			return c.after(0)
		}, slots.VerdictLagging, "1 MiB of WAL behind, 1 min old"},
		{"kept by a transaction", func(c *course) slots.Slot {
			c.reader(7)
			c.sample.Transactions = []slots.Transaction{{XID: "5", GID: ptr("g"), Since: ptr(start.Add(-time.Minute))}}
			c.write(64 * mib)
			c.slot().ConfirmedFlushLSN = ptr(c.sample.WAL)
			return c.after(0)
		}, slots.VerdictLagging, `it keeps 64 MiB of WAL since before a transaction that is still open: COMMIT PREPARED or ROLLBACK PREPARED prepared transaction "g", which has stood for 1 min`},
		{"waits in COMMIT for a synchronous standby", func(c *course) slots.Slot {
			c.reader(7)
			c.sample.Transactions = []slots.Transaction{{XID: "5", PID: ptr(int32(9)), WaitEvent: ptr("SyncRep"), Since: ptr(start.Add(-time.Minute))}}
			c.write(64 * mib)
			c.slot().ConfirmedFlushLSN = ptr(c.sample.WAL)
			return c.after(0)
		}, slots.VerdictLagging, "waits for a synchronous standby for 1 min, bring it back or correct synchronous_standby_names"},
		{"much kept, by nobody in particular", func(c *course) slots.Slot {
			c.reader(7)
			c.write(640 * mib)
			c.slot().ConfirmedFlushLSN = ptr(c.sample.WAL)
			return c.after(0)
		}, slots.VerdictOK, "0 B behind, it keeps 640 MiB of WAL"},
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for _, j := range append(unread(), read()...) {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			s := j.run(newCourse())
			if s.Verdict != j.want || !strings.Contains(s.Reason, j.reason) {
				t.Errorf("%s: %s\nwant %s: %s", s.Verdict, s.Reason, j.want, j.reason)
			}
		})
	}
}

func TestVerdictsAreOrdered(t *testing.T) {
	t.Parallel()
	all := slots.Verdicts()
	for i, v := range all {
		for k, other := range all {
			if v.Worse(other) != (i < k) {
				t.Errorf("%s worse than %s: %v", v, other, v.Worse(other))
			}
		}
	}
}

func TestSecondsToInvalidation(t *testing.T) {
	t.Parallel()
	c := newCourse()
	c.limit(1000*mib, 1000*mib)
	if s := c.after(0); s.SecondsToInvalidation != nil {
		t.Errorf("%d s after one sample", *s.SecondsToInvalidation)
	}
	if s := c.after(time.Second); s.SecondsToInvalidation != nil || *s.WALBytesPerSecond != 0 {
		t.Errorf("%v s while nothing is written", s.SecondsToInvalidation)
	}
	c.write(10 * mib)
	s := c.after(time.Second)
	if got := *s.SecondsToInvalidation; got != 198 || *s.WALBytesPerSecond != 5*mib {
		t.Errorf("%d s at %v B/s, want 198 s at 5 MiB/s", got, *s.WALBytesPerSecond)
	}
	for range 120 { // the rate is that of the last minute
		c.write(mib)
		s = c.after(time.Second)
	}
	if *s.WALBytesPerSecond != mib || *s.SecondsToInvalidation != 870 {
		t.Errorf("%d s at %v B/s, want 870 s at 1 MiB/s", *s.SecondsToInvalidation, *s.WALBytesPerSecond)
	}
	c.limit(1000*mib, -5)
	if s = c.after(time.Second); *s.SecondsToInvalidation != 0 {
		t.Errorf("%d s, want 0 where nothing is left", *s.SecondsToInvalidation)
	}
}

// A server that was restored, or another that was promoted, has a past of its own.
func TestAnotherHistoryStartsOver(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*course){
		"system":   func(c *course) { c.sample.System = "2" },
		"timeline": func(c *course) { c.sample.Timeline = "2" },
		"restored": func(c *course) { c.sample.WAL -= mib },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCourse()
			c.reader(7)
			c.write(10 * mib)
			c.after(0)
			c.write(mib)
			if s := c.after(time.Minute); s.Verdict != slots.VerdictStalled || s.WALBytesPerSecond == nil {
				t.Fatalf("before: %s, rate %v", s.Verdict, s.WALBytesPerSecond)
			}
			change(c)
			if s := c.after(time.Minute); s.Verdict != slots.VerdictOK || s.WALBytesPerSecond != nil {
				t.Errorf("after: %s, rate %v", s.Verdict, s.WALBytesPerSecond)
			}
		})
	}
}

func TestSlotMadeAnewStartsOver(t *testing.T) {
	t.Parallel()
	c := newCourse()
	c.history.Thresholds.LaggingFor = time.Hour
	c.reader(7)
	c.write(10 * mib)
	c.after(0)
	if s := c.after(time.Minute); s.Verdict != slots.VerdictStalled {
		t.Fatalf("before: %s", s.Verdict)
	}
	c.slot().RestartLSN = ptr(slots.LSN(1))
	if s := c.after(time.Second); s.Verdict != slots.VerdictOK {
		t.Errorf("after: %s: %s", s.Verdict, s.Reason)
	}
}

// A transaction that is about to end is not named, one that stands is, also
// where the role may not see since when.
func TestWhoStandsIsNamed(t *testing.T) {
	t.Parallel()
	c := newCourse()
	c.reader(7)
	fresh, old := start.Add(time.Second), start.Add(-time.Minute)
	c.sample.Transactions = []slots.Transaction{
		{XID: "1", PID: ptr(int32(1)), Since: &old, ApplicationName: ptr("a"), User: ptr("u"), State: ptr("active")},
		{XID: "2", PID: ptr(int32(2)), Since: &fresh},
		{XID: "3", PID: ptr(int32(3))},
		{XID: "4", PID: ptr(int32(7)), Since: &old}, // the consumer itself
	}
	named := func(s slots.Slot) (pids []int32) {
		for _, h := range s.HeldBy {
			pids = append(pids, *h.PID)
		}
		return pids
	}
	s := c.after(1500 * time.Millisecond)
	if diff := cmp.Diff([]int32{1}, named(s)); diff != "" {
		t.Errorf("named (-want +got):\n%s", diff)
	}
	want := follower.Holder{PID: ptr(int32(1)), ApplicationName: ptr("a"), User: ptr("u"), State: ptr("active"), Since: &old}
	if diff := cmp.Diff(want, s.HeldBy[0]); diff != "" {
		t.Errorf("holder (-want +got):\n%s", diff)
	}
	if !strings.Contains(s.Reason, "the transaction of pid 1 (a)") {
		t.Errorf("reason %q", s.Reason)
	}
	if diff := cmp.Diff([]int32{1, 2, 3}, named(c.after(time.Second))); diff != "" {
		t.Errorf("named a second later (-want +got):\n%s", diff)
	}
}

// Tidemark confirms what is visible: with a synchronous standby missing it is
// not the consumer that hangs.
func TestAMissingSynchronousStandbyStallsTheConsumer(t *testing.T) {
	t.Parallel()
	c := newCourse()
	c.reader(7)
	c.after(0)
	c.write(300)
	began := start.Add(time.Second)
	c.sample.Transactions = []slots.Transaction{
		{XID: "4", PID: ptr(int32(8)), Since: ptr(start.Add(-time.Minute))},
		{XID: "5", PID: ptr(int32(9)), ApplicationName: ptr("shop"), WaitEvent: ptr("SyncRep"), Since: &began},
	}
	c.after(5 * time.Second)
	s := c.after(30 * time.Second)
	want := "the transaction of pid 9 (shop) waits for a synchronous standby for 34 s, bring it back or correct synchronous_standby_names, and see whether pid 7 (app) goes on then"
	if s.Verdict != slots.VerdictStalled || !strings.HasSuffix(s.Reason, ": "+want) {
		t.Errorf("%s: %s", s.Verdict, s.Reason)
	}
	var pids []int32
	for _, h := range s.HeldBy {
		pids = append(pids, *h.PID)
	}
	if diff := cmp.Diff([]int32{9, 7, 8}, pids); diff != "" {
		t.Errorf("held by (-want +got):\n%s", diff)
	}
	c.sample.Transactions[1].Since = ptr(start.Add(30 * time.Second)) // a slow standby: others wait now and then
	c.sample.Transactions[1].XID = "6"
	if s := c.after(5 * time.Second); !strings.Contains(s.Reason, "restart it if it hangs") || *s.HeldBy[0].PID != 7 {
		t.Errorf("a commit that has waited for 10 s: %s, %v", s.Reason, s.HeldBy)
	}
}

// What /v1/slots answers is a promise: every key is there, null where unknown.
func TestJSON(t *testing.T) {
	t.Parallel()
	c := newCourse()
	c.after(0)
	got, err := json.MarshalIndent(c.after(time.Second), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
 "name": "s",
 "plugin": "pgoutput",
 "database": "app",
 "active": false,
 "active_pid": null,
 "temporary": false,
 "wal_status": "reserved",
 "restart_lsn": "0/6400000",
 "confirmed_flush_lsn": "0/6400000",
 "retained_bytes": 0,
 "confirmed_lag_bytes": 0,
 "safe_wal_bytes": null,
 "seconds_to_invalidation": null,
 "inactive_since": null,
 "invalidation_reason": null,
 "held_by": [
  {
   "pid": null,
   "gid": null,
   "writer": null,
   "application_name": null,
   "user": null,
   "state": "no consumer",
   "since": "2026-01-02T03:04:05Z"
  }
 ],
 "verdict": "ok",
 "reason": "it keeps 0 B of WAL, with nobody connected for at least 1 s",
 "catalog_xmin": null,
 "failover": null,
 "synced": null,
 "conflicting": null,
 "wal_bytes_per_second": 0
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

// Whatever a server says, in whatever order, is judged without a panic, and in
// one sentence on one line.
func TestAnythingIsJudged(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	var h slots.History
	now := time.Now()
	for range 20_000 {
		now = now.Add(time.Duration(r.Int64N(int64(time.Minute))))
		report := h.Add(now, randomSample(r, now))
		for _, s := range report.Slots {
			if !slices.Contains(slots.Verdicts(), s.Verdict) || s.Reason == "" || strings.Contains(s.Reason, "\n") || s.HeldBy == nil {
				t.Fatalf("seed %d: %+v", seed, s)
			}
			if _, err := json.Marshal(s); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
	}
}

func randomSample(r *rand.Rand, now time.Time) slots.Sample {
	at := now.Add(time.Duration(r.Int64N(int64(time.Hour))) - 30*time.Minute)
	s := slots.Sample{Time: at, WAL: slots.LSN(r.Uint64() >> r.IntN(64)), KeepSize: maybe(r, r.Int64())}
	for _, name := range []string{"a", "b'c"}[:r.IntN(3)] {
		slot := slots.SlotSample{
			Name: name, Active: r.IntN(2) == 0, ActivePID: maybe(r, int32(r.IntN(3))),
			WALStatus: maybe(r, []string{"reserved", "extended", "unreserved", "lost"}[r.IntN(4)]), SafeWALSize: maybe(r, r.Int64()-1<<62),
			RestartLSN: maybe(r, slots.LSN(r.Uint64())), ConfirmedFlushLSN: maybe(r, slots.LSN(r.Uint64())),
			InactiveSince: maybe(r, at.Add(-time.Hour)), Synced: maybe(r, r.IntN(2) == 0), Conflicting: maybe(r, r.IntN(2) == 0),
		}
		if r.IntN(2) == 0 {
			slot.Consumer = &slots.Consumer{ApplicationName: maybe(r, "x"), FlushLag: maybe(r, r.Float64()*100)}
		}
		s.Slots = append(s.Slots, slot)
	}
	for range r.IntN(3) {
		s.Transactions = append(s.Transactions, slots.Transaction{
			XID: "1", PID: maybe(r, int32(r.IntN(3))), GID: maybe(r, "g"), ApplicationName: maybe(r, "x"), Since: maybe(r, at),
		})
	}
	return s
}

func maybe[T any](r *rand.Rand, v T) *T {
	if r.IntN(2) == 0 {
		return nil
	}
	return &v
}
