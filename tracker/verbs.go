package tracker

// Verb says what an Event claims.
type Verb uint8

// The verbs, one for each kind of knowledge; see the package documentation.
const (
	VerbObserve  Verb = iota + 1 // as Observe, for a run of ids
	VerbSettle                   // as Settle
	VerbAnnounce                 // as Announce
	VerbAdvance                  // as Advance
	VerbForget                   // as Forget

	// VerbComplete: every id of that writer up to To is done. WaitWriter and
	// CurrentTokenForWriter count it, and subscribers are told; the minimum, and
	// so P, does not, nor does Positions. For a writer that must not count for P
	// before its own announcement has come back to it.
	VerbComplete
)

// String returns the verb in lower case.
func (v Verb) String() string {
	switch v {
	case VerbObserve:
		return "observe"
	case VerbSettle:
		return "settle"
	case VerbAnnounce:
		return "announce"
	case VerbAdvance:
		return "advance"
	case VerbForget:
		return "forget"
	case VerbComplete:
		return "complete"
	default:
		return "unknown"
	}
}

// Event is one verb with its arguments, for Apply.
type Event struct {
	// Verb says what is known.
	Verb Verb
	// Writer it is known of; unused by VerbSettle.
	Writer string

	// From and To are ids as users see them. VerbObserve claims every id from
	// From, the one nearer zero, to To, both included; with From 0, or on the
	// wrong side of zero, only To. The other verbs use To alone.
	From, To int64
}

// Observe says that a row of the writer with this id is committed and visible,
// and nothing of any other id. It reports whether P moved. Ids that are not of
// the stream's direction (0 included) are ignored.
func (t *Tracker) Observe(writer string, id int64) bool {
	n := t.inward(id)
	t.mu.Lock()
	if t.mu.cause == nil {
		t.observeLocked(writer, n, n)
	}
	return t.unlock()
}

// Settle says that every id up to this one is settled: committed and visible,
// or dead. It reports whether P moved.
func (t *Tracker) Settle(id int64) bool {
	n := t.inward(id)
	t.mu.Lock()
	if t.mu.cause == nil {
		t.raiseLocked(n)
	}
	return t.unlock()
}

// Announce says that every id of that writer up to this one is done. From now
// on the writer takes part in the minimum, up to which P rises; an id of 0 only
// registers it. A lower announcement than an earlier one changes nothing. The
// id itself need not be the writer's and is no done id. It reports whether P
// moved.
func (t *Tracker) Announce(writer string, id int64) bool {
	n := t.inward(id)
	t.mu.Lock()
	if t.mu.cause == nil {
		t.announceLocked(writer, n)
	}
	return t.unlock()
}

// Advance is Announce and also says that the id itself is done: what the
// reference means by it. Only a writer's own id may be claimed so, never a
// position that it merely tells. It reports whether P moved.
func (t *Tracker) Advance(writer string, id int64) bool {
	n := t.inward(id)
	t.mu.Lock()
	if t.mu.cause == nil {
		t.advanceLocked(writer, n)
	}
	return t.unlock()
}

// Forget takes a deleted writer away: it leaves the minimum and Positions, and
// CurrentTokenForWriter of it is P. One of Config.Writers counts as 0 again; P
// does not go back. It reports whether P moved.
func (t *Tracker) Forget(writer string) bool {
	t.mu.Lock()
	if t.mu.cause == nil {
		t.forgetLocked(writer)
	}
	return t.unlock()
}

// Cap has the minimum over the writers count at most up to id, until Uncap: a
// writer may have registered that has not been seen yet, and it draws no id
// below (RULES 20). Runs of observed rows are not capped, and P does not go back.
func (t *Tracker) Cap(id int64) {
	n := t.inward(id)
	t.mu.Lock()
	t.mu.capped, t.mu.limit = true, n
	t.mu.Unlock()
}

// Uncap ends Cap. It reports whether P moved.
func (t *Tracker) Uncap() bool {
	t.mu.Lock()
	t.mu.capped = false
	return t.unlock()
}

// Apply is all the events in order, after which P is computed once, waiters
// are woken once and subscribers told once: a registration and the
// announcements of one commit must not be seen apart (RULES 16). An event with
// a verb that is none of the above changes nothing. It reports whether P moved.
func (t *Tracker) Apply(events []Event) bool {
	t.mu.Lock()
	if t.mu.cause == nil {
		for i := range events {
			t.applyLocked(&events[i])
		}
	}
	return t.unlock()
}

func (t *Tracker) applyLocked(e *Event) {
	to := t.inward(e.To)
	switch e.Verb {
	case VerbObserve:
		t.observeLocked(e.Writer, t.inward(e.From), to)
	case VerbSettle:
		t.raiseLocked(to)
	case VerbAnnounce:
		t.announceLocked(e.Writer, to)
	case VerbAdvance:
		t.advanceLocked(e.Writer, to)
	case VerbForget:
		t.forgetLocked(e.Writer)
	case VerbComplete:
		t.completeLocked(e.Writer, to)
	}
}

func (t *Tracker) completeLocked(writer string, id int64) {
	if t.mu.writers.finish(writer, id) {
		t.mu.changed = true
		t.mu.waiters.reachWriter(writer, id)
	}
}

func (t *Tracker) observeLocked(writer string, from, to int64) {
	if from < 1 {
		from = to // claims less: a run that crosses zero is nobody's
	}
	if to < from || to < 1 {
		return
	}
	t.doneLocked(from, to)
	if t.mu.writers.observe(writer, to, t.mu.p) {
		t.mu.changed = true
	}
}

func (t *Tracker) announceLocked(writer string, id int64) {
	if !t.mu.writers.announce(writer, id) {
		return
	}
	t.mu.changed = true
	t.mu.waiters.reachWriter(writer, id)
}

func (t *Tracker) advanceLocked(writer string, id int64) {
	t.announceLocked(writer, id)
	if id > 0 {
		t.doneLocked(id, id)
	}
}

func (t *Tracker) forgetLocked(writer string) {
	if t.mu.writers.forget(writer) {
		t.mu.changed = true
	}
}

// doneLocked notes that from..to are done, 1 <= from <= to.
func (t *Tracker) doneLocked(from, to int64) {
	t.mu.newest = max(t.mu.newest, to)
	switch {
	case to <= t.mu.p:
	case from-1 <= t.mu.p:
		t.raiseLocked(to)
	default:
		t.mu.runs.add(from, to)
	}
}

// raiseLocked raises p to at least id and on along the run that it touches.
func (t *Tracker) raiseLocked(id int64) {
	if id <= t.mu.p {
		return
	}
	t.mu.p = id
	if !t.mu.runs.empty() {
		t.mu.p = t.mu.runs.follow(id)
	}
}

// unlock ends a verb: it computes and publishes P, gives the lock back, and
// only then wakes and tells. It reports whether P moved.
func (t *Tracker) unlock() (moved bool) {
	// The minimum counts only now: within a batch it may still fall (RULES 16).
	if least, _, ok := t.mu.writers.minimum.min(); ok {
		if t.mu.capped {
			least = min(least, t.mu.limit)
		}
		t.raiseLocked(least)
	}
	if moved = t.mu.p != t.mu.published; moved {
		t.mu.published = t.mu.p
		t.position.Store(t.outward(t.mu.p))
		t.mu.waiters.reach(t.mu.p)
	}
	if !moved && !t.mu.changed {
		t.mu.Unlock()
		return false
	}
	t.mu.changed = false
	t.mu.moves++
	move := Move{Stream: t.stream, Position: t.outward(t.mu.p), Number: t.mu.moves}
	woken := t.mu.waiters.take()
	t.mu.Unlock()
	woken.wakeAll()
	t.subscribers.tell(move)
	return moved
}
