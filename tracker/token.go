package tracker

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
)

// Token is how far a reader has come in one stream, as a vector: the position P,
// up to which every writer's rows are complete, and the writers whose own
// positions are ahead of it. It is what a client keeps in order to go on later,
// elsewhere: stored as text, merged with others, compared.
//
// A Token is immutable and safe for concurrent use; the zero Token covers
// nothing. It knows neither its stream nor its epoch: keep tokens of different
// ones apart.
//
// The direction shows in the signs: positions of a descending stream are
// negative. The zero Token belongs to both directions.
type Token struct {
	// Mirrored like everything inside this package: both run upwards here.
	position int64
	ahead    []writerAhead // by name; each beyond position; never changed

	descending bool // false for the zero Token, so that there is one of it
}

// writerAhead is a writer of whom more is complete than of the others.
type writerAhead struct {
	name     string
	position int64
}

// Token returns P and the writers that are ahead of it, all of one moment. Where
// more than MaxWriters are known, only those that moved most recently can be in
// it: leaving one out claims less, never too much.
func (t *Tracker) Token() Token {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.mu.published
	var ahead []writerAhead
	for _, w := range t.mu.writers.positions(p) {
		if w.position > p {
			ahead = append(ahead, writerAhead{w.name, w.position})
		}
	}
	return newToken(p, ahead, t.descending)
}

// NewToken returns the token of a position and writers' own positions, such as
// a follower tells them. Those that are not ahead of the position add nothing
// to it and are left out. Positive and negative positions together are an error:
// no stream has both.
func NewToken(position int64, writers map[string]int64) (Token, error) {
	descending := position < 0
	for _, at := range writers {
		descending = descending || at < 0
	}
	inward := func(id int64) (int64, error) {
		if id == math.MinInt64 || descending && id > 0 {
			return 0, fmt.Errorf("make token: %d does not go with the other positions", id)
		}
		return max(id, -id), nil
	}
	p, err := inward(position)
	if err != nil {
		return Token{}, err
	}
	var ahead []writerAhead
	for name, at := range writers {
		n, err := inward(at)
		if err != nil {
			return Token{}, fmt.Errorf("writer %s: %w", excerpt(name), err)
		}
		if n > p {
			ahead = append(ahead, writerAhead{name, n})
		}
	}
	return newToken(p, ahead, descending), nil
}

// newToken takes mirrored positions, and ahead for its own.
func newToken(position int64, ahead []writerAhead, descending bool) Token {
	slices.SortFunc(ahead, func(a, b writerAhead) int { return strings.Compare(a.name, b.name) })
	t := Token{position: position, ahead: ahead}
	t.descending = descending && !t.zero()
	return t
}

func (t Token) zero() bool { return t.position == 0 && len(t.ahead) == 0 }

// outward turns a mirrored position into what users see.
func (t Token) outward(p int64) int64 {
	if t.descending {
		return -p
	}
	return p
}

// Position returns P: every writer's rows are complete up to it.
func (t Token) Position() int64 { return t.outward(t.position) }

// PositionFor returns how far the rows of that writer are complete: its own
// position where it is ahead, else P.
func (t Token) PositionFor(writer string) int64 { return t.outward(t.at(writer)) }

// at is PositionFor, mirrored.
func (t Token) at(writer string) int64 {
	i, ok := slices.BinarySearchFunc(t.ahead, writer, func(w writerAhead, name string) int {
		return strings.Compare(w.name, name)
	})
	if ok {
		return t.ahead[i].position
	}
	return t.position
}

// Ahead yields the writers that are ahead of P with their positions, by name.
func (t Token) Ahead() iter.Seq2[string, int64] {
	return func(yield func(string, int64) bool) {
		for _, w := range t.ahead {
			if !yield(w.name, t.outward(w.position)) {
				return
			}
		}
	}
}

// Covers reports whether a row of that writer with this id is among what the
// token stands for. An id of the other direction is not; 0 is no id and is
// covered by every token.
func (t Token) Covers(writer string, id int64) bool {
	switch {
	case id == 0:
		return true
	case id == math.MinInt64 || (id < 0) != t.descending:
		return false
	}
	return t.outward(id) <= t.at(writer)
}

// Order is how one token lies to another.
type Order uint8

// What Compare answers.
const (
	// OrderEqual: both cover the same.
	OrderEqual Order = iota
	// OrderBefore: the other covers all of this one, and more.
	OrderBefore
	// OrderAfter: this one covers all of the other, and more.
	OrderAfter
	// OrderConcurrent: each covers something that the other does not.
	OrderConcurrent
)

// String returns the order in lower case.
func (o Order) String() string {
	switch o {
	case OrderEqual:
		return "equal"
	case OrderBefore:
		return "before"
	case OrderAfter:
		return "after"
	case OrderConcurrent:
		return "concurrent"
	default:
		return "unknown"
	}
}

// Compare tells how t lies to u. Tokens of opposite directions that cover
// anything are concurrent.
func (t Token) Compare(u Token) Order {
	within, covers := t.within(u), u.within(t)
	switch {
	case within && covers:
		return OrderEqual
	case within:
		return OrderBefore
	case covers:
		return OrderAfter
	default:
		return OrderConcurrent
	}
}

// Equal reports whether both cover the same.
func (t Token) Equal(u Token) bool { return t.Compare(u) == OrderEqual }

// within reports whether u covers everything that t does.
func (t Token) within(u Token) bool {
	if t.zero() {
		return true
	}
	if t.descending != u.descending || t.position > u.position {
		return false
	}
	for _, w := range t.ahead {
		if w.position > u.at(w.name) {
			return false
		}
	}
	return true
}

// Merge returns the token that covers what t or u covers and nothing else: the
// least that is not before either. Tokens of opposite directions have none,
// which is an error. Merging in any order, any number of times, is the same.
func (t Token) Merge(u Token) (Token, error) {
	switch {
	case t.zero():
		return u, nil
	case u.zero():
		return t, nil
	case t.descending != u.descending:
		return Token{}, fmt.Errorf("merge tokens: positions %d and %d are of streams that run in opposite directions", t.Position(), u.Position())
	}
	position := max(t.position, u.position)
	furthest := make(map[string]int64, len(t.ahead)+len(u.ahead))
	for _, w := range slices.Concat(t.ahead, u.ahead) {
		if w.position > position {
			furthest[w.name] = max(furthest[w.name], w.position)
		}
	}
	ahead := make([]writerAhead, 0, len(furthest))
	for _, name := range slices.Sorted(maps.Keys(furthest)) {
		ahead = append(ahead, writerAhead{name, furthest[name]})
	}
	return newToken(position, ahead, t.descending), nil
}
