package catalog

import "slices"

// Snapshot is what the database said at one moment. It does not change.
type Snapshot struct {
	// Findings are all requirements, met or not, in the order in which they
	// are best mended.
	Findings []Finding
	// Streams are the configured streams, in the order of the Spec.
	Streams []ResolvedStream
	// Positions is the positions table; nil where no stream is announced or
	// it cannot be used.
	Positions *ResolvedTable
	// Published identifies the publications and their entries of our tables. A
	// publication that is dropped and made again has another list, even where
	// the server says nothing to who reads it (as 18 does).
	Published []uint32
	// DatabaseOID and Database say where we are connected.
	DatabaseOID uint32
	Database    string
	// Role is the current user.
	Role string
	// ServerVersion as in server_version_num: 150018.
	ServerVersion int
	// Slot is the configured slot as it is; the zero SlotState: there is none.
	Slot SlotState
}

// ResolvedStream is a stream with what the server knows of it.
type ResolvedStream struct {
	Stream
	// SequenceOID and SequenceFilenode identify the sequence (RULES 4); 0
	// while it is unknown. SequenceName is its quoted and qualified name.
	SequenceOID, SequenceFilenode uint32
	SequenceName                  string
	// Tables are the stream's tables, in the order of the configuration. A
	// table that was not found has OID 0.
	Tables []ResolvedTable
	// Problem is the first failed requirement of this stream (or of all
	// announced streams, where it is one); nil: the stream can be used, unless
	// one of ScopeServer or ScopeSlot has failed, which concerns them all.
	Problem *Finding
}

// ResolvedTable is a table with what the server knows of it.
type ResolvedTable struct {
	Table
	// OID of the table, 0 if there is none.
	OID uint32
	// QuotedName is qualified and quoted, to be put into SQL as it is.
	QuotedName string
	// Schema and RelName are its exact names.
	Schema, RelName string
	// Partitioned tells a partitioned root.
	Partitioned bool
	// IDType is the type of the id column (int2, int4 or int8), InstanceType
	// that of the instance column; 0 where there is no such column.
	IDType, InstanceType uint32
}

// TableRef points at a table of a stream: Snapshot.Streams[Stream].Tables[Table].
type TableRef struct{ Stream, Table int }

// Problem is the first failed requirement of any scope, nil if there is none.
func (s *Snapshot) Problem() *Finding {
	return s.firstUnmet(func(Finding) bool { return true })
}

// TableRefs maps the OID of each table that was found to where it is used: a
// table may belong to an ascending and a descending stream.
func (s *Snapshot) TableRefs() map[uint32][]TableRef {
	refs := make(map[uint32][]TableRef)
	for i, stream := range s.Streams {
		for j, table := range stream.Tables {
			if table.OID != 0 {
				refs[table.OID] = append(refs[table.OID], TableRef{Stream: i, Table: j})
			}
		}
	}
	return refs
}

func (s *Snapshot) firstUnmet(want func(Finding) bool) *Finding {
	i := slices.IndexFunc(s.Findings, func(f Finding) bool { return !f.OK && want(f) })
	if i < 0 {
		return nil
	}
	f := s.Findings[i]
	return &f
}

// blame gives each stream the first failed requirement that concerns it.
func (s *Snapshot) blame() {
	for i := range s.Streams {
		stream := &s.Streams[i]
		stream.Problem = s.firstUnmet(func(f Finding) bool {
			return f.Scope == ScopeStream && f.Stream == stream.Name ||
				f.Scope == ScopeAnnounced && stream.Announced
		})
	}
}
