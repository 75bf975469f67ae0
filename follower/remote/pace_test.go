package remote

import (
	"testing"
	"time"
)

func TestPauses(t *testing.T) {
	p := newPace(1)
	for i := range 50 {
		pause := p.next(-1)
		if most := min(150*time.Millisecond<<i, maxPause*3/2); pause <= 0 || i < 6 && pause > most || pause > maxPause*3/2 {
			t.Errorf("attempt %d: %s", i, pause)
		}
		if least := min(50*time.Millisecond<<min(i, 9), maxPause/2); pause < least {
			t.Errorf("attempt %d: %s, less than %s", i, pause, least)
		}
	}
	p.succeeded()
	if pause := p.next(-1); pause > 150*time.Millisecond {
		t.Errorf("after a success: %s", pause)
	}
	if pause := p.next(2 * time.Second); pause < 2*time.Second || pause > 3*time.Second {
		t.Errorf("retry 2s: %s", pause)
	}
	if pause := p.next(time.Hour); pause > maxPause*3/2 {
		t.Errorf("retry 1h: %s", pause)
	}
}

// Of several addresses each is asked soon, once a round; rounds are spaced.
func TestPausesBetweenAddresses(t *testing.T) {
	p := newPace(3)
	for round := range 12 {
		for i := range 3 {
			pause := p.next(2 * time.Second)
			switch {
			case i < 2 && pause > hopWithin:
				t.Errorf("round %d, address %d: %s", round, i, pause)
			case i == 2 && round >= 7 && pause < maxPause/2:
				t.Errorf("after round %d: %s", round, pause)
			}
		}
	}
}
