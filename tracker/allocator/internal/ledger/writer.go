package ledger

import (
	"errors"
	"fmt"
)

var (
	// ErrHistory is why an allocator stops when the server that answers is
	// another one, or was promoted: what is known of the former's ids may not
	// be true here. RULES 11 and 19.
	ErrHistory = errors.New("another history of the database began: close this allocator and open it again")
	// ErrUsurped is why it stops when another process used the name while the
	// lease was lost, and announced further than this one had got, or removed
	// its row: what is open here may have been passed. RULES 18.
	ErrUsurped = errors.New("another process has used this instance's name: close this allocator")
)

// Writer is a ledger and what goes with it from one taking of the instance's
// name to the next: which server it belongs to, and what is announced of it.
// NewWriter makes one.
type Writer struct {
	*Ledger
	history, life string // of the server, when the name was taken
	sequence      string // which it is; "" before it was read
	listed        bool   // one without a row counts as 0: nobody has passed what it has open
	begun         bool   // the name was taken before
	sent          int64  // highest position that was ever sent to be stored; nothing open is below
	stored        int64  // highest position known to be stored
	due           bool   // something has happened that is worth storing a position for
}

// NewWriter returns what an instance knows that has drawn nothing. listed says
// that every writer there can be is named: while this one has no row, it counts
// as 0 to the others.
func NewWriter(listed bool) *Writer { return &Writer{Ledger: New(), listed: listed} }

// Recognise compares the server with the one of the last life: its history
// (system and timeline), and its life, which ends with a crash.
func (w *Writer) Recognise(history, life string) error {
	if err := w.Same(history); err != nil {
		return err
	}
	if w.life != "" && w.life != life {
		if err := w.Crashed(); err != nil {
			return err
		}
	}
	w.life = life
	return nil
}

// History is the server's, system and timeline; "" before any has answered.
func (w *Writer) History() string { return w.history }

// Same is the error that an answer from a server of that history means: nil
// from the one that is known, or the first.
func (w *Writer) Same(history string) error {
	if w.history == "" {
		w.history = history
	}
	if w.history != history {
		return fmt.Errorf("system and timeline are %q, not %q: %w", history, w.history, ErrHistory)
	}
	return nil
}

// SameSequence is the error that a reading of that sequence means: nil of the one
// that is known, or the first. RULES 4.
func (w *Writer) SameSequence(sequence string) error {
	if w.sequence == "" {
		w.sequence = sequence
	}
	if w.sequence != sequence {
		return fmt.Errorf("it was made anew or restarted (oid/filenode %s, not %s): %w", sequence, w.sequence, ErrWentBack)
	}
	return nil
}

// Registration is the position to register with when the sequence has passed
// last: nothing that is still open lies below, of an earlier life either. It
// counts as sent: who finds it stored later has found nobody else's. RULES 15.
func (w *Writer) Registration(last int64) int64 {
	if low, ok := w.open.lowest(); ok {
		last = min(last, low-1)
	}
	if w.held {
		last = min(last, w.hold)
	}
	w.sent = max(w.sent, last)
	return last
}

// Registers is Registration at the beginning of a life, with what is on disk by
// then. A row that has gone since the name was taken last is a removed writer's:
// what is open here was passed, and only what comes later may go on under a new
// row. ErrUsurped if anything is. Where writers are listed nobody has passed
// anything: the new row says no more than this process has announced, so that
// what an earlier life has left open is waited for (Begin). RULES 18.
func (w *Writer) Registers(last int64, onDisk LSN) (int64, error) {
	w.Flush(onDisk) // what is finished is not open
	if _, open := w.open.lowest(); w.begun && open {
		return 0, fmt.Errorf("its row was removed while ids were open: %w", ErrUsurped)
	}
	if w.listed {
		last = min(last, w.told)
	}
	return w.Registration(last), nil
}

// Life is what the beginning of a life found.
type Life struct {
	// Last is what the sequence has passed; it is on disk.
	Last   int64
	OnDisk LSN
	// Stored is the position in the instance's row.
	Stored int64
	// Fresh: the row is new. Where writers are not listed it guards nothing.
	Fresh bool
	// Rowless: no positions are stored, and Stored is Last.
	Rowless bool
	// Ended: nothing is open any more that an earlier life may have left.
	Ended bool
}

// Begin begins a life: RULES 18. Nothing above what is stored is announced
// until whatever an earlier life left open has ended.
func (w *Writer) Begin(l Life) error {
	if l.Last < w.known {
		return fmt.Errorf("last value %d though %d had been passed: %w", l.Last, w.known, ErrWentBack)
	}
	if w.begun && !l.Rowless && l.Stored > w.sent {
		return fmt.Errorf("position %d is stored, this process got to %d: %w", l.Stored, w.sent, ErrUsurped)
	}
	w.Flush(l.OnDisk)
	w.begun = true
	w.Start(l.Last, l.Stored, !l.Ended && !l.Rowless && (!l.Fresh || w.held || w.listed))
	w.sent, w.stored = max(w.sent, l.Stored), max(w.stored, l.Stored)
	w.due = true
	return nil
}

// Touch says that something has happened that is worth storing a position for.
func (w *Writer) Touch() { w.due = true }

// Conclude is Take; a position is worth storing once ids are done.
func (w *Writer) Conclude() Conclusion {
	c := w.Take()
	if len(c.Settled) > 0 {
		w.due = true
	}
	return c
}

// Announcement is the position to store now; false if none is worth it.
func (w *Writer) Announcement() (value int64, due bool) {
	due = w.due && w.told > w.stored
	w.due = false
	if due {
		w.sent = max(w.sent, w.told)
	}
	return w.told, due
}

// Announced says that the position is stored.
func (w *Writer) Announced(value int64) { w.stored = max(w.stored, value) }
