package catalog

import "strings"

// Scope says whom a failed requirement concerns.
type Scope int

const (
	// ScopeServer findings concern every stream: nothing can be followed.
	ScopeServer Scope = iota
	// ScopeSlot findings concern the replication session. Streams that read
	// ids from the fence alone could go on without what they ask for.
	ScopeSlot
	// ScopeAnnounced findings concern every announced stream.
	ScopeAnnounced
	// ScopeStream findings concern Finding.Stream alone.
	ScopeStream
)

// String names the scope in a word.
func (s Scope) String() string {
	switch s {
	case ScopeServer:
		return "server"
	case ScopeSlot:
		return "slot"
	case ScopeAnnounced:
		return "announced"
	default:
		return "stream"
	}
}

// Finding is one requirement, met or not.
type Finding struct {
	// Name of the requirement, the same whether it is met or not:
	// "wal_level", "table public.events", "sequence public.events_id_seq", …
	Name string
	// OK tells whether the requirement is met.
	OK bool
	// Detail is one line. It names what is concerned, the actual and the
	// wanted value. A finding with OK, Detail and Fix is a warning.
	Detail string
	// Fix is the SQL that mends it, to be run as written by a role that may,
	// or the setting to change. Empty where nothing needs mending.
	Fix string
	// Scope says whom it concerns, Stream which stream (ScopeStream only).
	Scope  Scope
	Stream string
	// Table and Column are what it concerns, as configured; empty otherwise.
	Table, Column string
	// Transient requirements may be met again within seconds by themselves: a
	// connection of ours that the server has not closed yet takes up room.
	Transient bool
}

// met is a requirement that holds; detail may say how.
func met(name, detail string) Finding { return Finding{Name: name, OK: true, Detail: detail} }

// warning is met too, but fix would make it better.
func warning(name, detail, fix string) Finding {
	return Finding{Name: name, OK: true, Detail: detail, Fix: fix}
}

// unmet is a requirement that does not hold.
func unmet(name, detail, fix string) Finding { return Finding{Name: name, Detail: detail, Fix: fix} }

func (f Finding) scope(s Scope) Finding { f.Scope = s; return f }

func (f Finding) on(table, column string) Finding { f.Table, f.Column = table, column; return f }

// tidy keeps the promise that Detail and Name are one line: names of
// relations may hold line breaks.
func (f Finding) tidy() Finding {
	f.Name, f.Detail = oneLine(f.Name), oneLine(f.Detail)
	return f
}

func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
