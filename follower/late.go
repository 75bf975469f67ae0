package follower

// lateRow is a run of rows that was committed below a published position.
type lateRow struct {
	table, writer string
	id            int64 // the first
	rows          uint64
	xid           uint32
}

// maxSuspected bounds how many late rows are told apart.
const maxSuspected = 100

// suspicion keeps late rows until it is known what they are. Where ids have
// started over they are the next epoch's, and no news to this one's promises: a
// look at the sequence that began after they came tells, for what set it back
// was committed before them. Else the promise is broken. RULES 4 and 8. The zero
// value suspects nothing. It is not safe for concurrent use.
type suspicion struct {
	fresh []lateRow // since the last look began
	asked []lateRow // before it began
}

func (s *suspicion) add(r lateRow) {
	if n := len(s.fresh); n == maxSuspected {
		s.fresh[n-1].rows += r.rows
		return
	}
	s.fresh = append(s.fresh, r)
}

// ask notes that a look at the sequence begins.
func (s *suspicion) ask() {
	for _, r := range s.fresh {
		if n := len(s.asked); n == maxSuspected {
			s.asked[n-1].rows += r.rows
			continue
		}
		s.asked = append(s.asked, r)
	}
	s.fresh = nil
}

// confirmed returns what the look that has ended shows to be late: ids go on.
func (s *suspicion) confirmed() []lateRow {
	late := s.asked
	s.asked = nil
	return late
}

// suspect notes late rows.
func (l *life) suspect(r lateRow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.suspicion.add(r)
}

// suspects reports whether there is something that a look has to tell.
func (l *life) suspects() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.mu.suspicion.fresh) > 0
}

// ask notes that a look at the sequence begins, and returns the position.
func (l *life) ask() int64 {
	l.mu.Lock()
	l.mu.suspicion.ask()
	l.mu.Unlock()
	return l.position()
}

// goesOn notes that the look found ids to go on, so that what was suspected is
// late indeed.
func (l *life) goesOn() {
	l.mu.Lock()
	late := l.mu.suspicion.confirmed()
	l.mu.Unlock()
	s := l.of
	for _, r := range late {
		s.late.Add(r.rows)
		s.log.Error("late row: it was committed below a position already published; was its id written by hand, or its sequence set back or given a CACHE?",
			"table", r.table, "id", r.id, "xid", r.xid, "writer", r.writer, "rows", r.rows)
	}
	if len(late) > 0 {
		s.tell()
	}
}
