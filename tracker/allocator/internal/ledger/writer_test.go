package ledger

import (
	"errors"
	"testing"
)

// begun is a writer that has taken its name when the sequence was at last, and
// its row said stored.
func begun(t *testing.T, last, stored int64, ended bool) *Writer {
	t.Helper()
	w := NewWriter(false)
	if err := w.Begin(Life{Last: last, OnDisk: 1, Stored: stored, Ended: ended}); err != nil {
		t.Fatal(err)
	}
	w.Conclude()
	return w
}

// draw draws ids, which are on disk.
func (w *Writer) draw(t *testing.T, ids ...int64) {
	t.Helper()
	if err := w.EndFetch(w.BeginFetch(), ids, 1); err != nil {
		t.Fatal(err)
	}
}

// RULES 15: what is open lies above what is registered, of an earlier life too:
// a row that was removed by hand is made anew while that may still write.
func TestRegistrationLiesBelowWhatMayBeOpen(t *testing.T) {
	w := begun(t, 40, 40, true)
	if at := w.Registration(50); at != 50 {
		t.Errorf("registers with %d", at)
	}
	w.draw(t, 51, 52)
	if at := w.Registration(60); at != 50 {
		t.Errorf("registers with %d, 51 is open", at)
	}
	held := begun(t, 40, 3, false)
	held.draw(t, 41)
	if at := held.Registration(60); at != 3 {
		t.Errorf("registers with %d, an earlier life may have something open above 3", at)
	}
	if err := held.Begin(Life{Last: 60, OnDisk: 1, Stored: 3, Fresh: true}); err != nil {
		t.Fatal(err)
	}
	if c := held.Conclude(); c.Value != 3 || !held.Held() {
		t.Errorf("announces %d, an earlier life may have something open above 3", c.Value)
	}
}

// RULES 18: a listed writer without a row counts as 0 to the others. Its new row
// says no more than what this process has announced, until whatever another one
// may have left open has ended.
func TestANewRowOfAListedWriterWaits(t *testing.T) {
	w := NewWriter(true)
	at, err := w.Registers(50, 1)
	if err != nil || at != 0 {
		t.Fatalf("registers with %d: %v", at, err)
	}
	if err := w.Begin(Life{Last: 50, OnDisk: 1, Stored: at, Fresh: true}); err != nil {
		t.Fatal(err)
	}
	if c := w.Conclude(); c.Value != 0 || !w.Held() {
		t.Errorf("announces %d, something may be open", c.Value)
	}
	w.Release()
	if c := w.Conclude(); c.Value != 50 {
		t.Errorf("announces %d after the end of everything", c.Value)
	}
	if at, err = w.Registers(60, 1); err != nil || at != 50 {
		t.Errorf("registers again with %d: %v", at, err)
	}
}

// RULES 18: what is stored when the name is taken again was this process's own
// doing, or another's, whether it was announced or registered.
func TestWhoseDoingIsWhatIsStored(t *testing.T) {
	w := begun(t, 40, 40, true)
	if _, err := w.Registers(60, 1); err != nil { // and the answer is lost
		t.Fatal(err)
	}
	if err := w.Begin(Life{Last: 70, OnDisk: 1, Stored: 60, Ended: true}); err != nil {
		t.Errorf("its own registration: %v", err)
	}
	if err := w.Begin(Life{Last: 70, OnDisk: 1, Stored: 61, Ended: true}); !errors.Is(err, ErrUsurped) {
		t.Errorf("another's position: %v", err)
	}
	w.draw(t, 71)
	if at, err := w.Registers(80, 1); !errors.Is(err, ErrUsurped) {
		t.Errorf("a row that was removed with an id open is registered again with %d: %v", at, err)
	}
	if err := begun(t, 0, 0, true).Begin(Life{Last: 9, OnDisk: 1, Stored: 9, Rowless: true, Ended: true}); err != nil {
		t.Errorf("where nothing is stored: %v", err)
	}
}
