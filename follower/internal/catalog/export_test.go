package catalog

// ServerProblem is the first failed requirement that concerns all streams, nil
// if there is none. Finding.Scope tells whether it is the server's or only
// that of the replication session.
func (s *Snapshot) ServerProblem() *Finding {
	return s.firstUnmet(func(f Finding) bool { return f.Scope == ScopeServer || f.Scope == ScopeSlot })
}

// SequenceRefs maps the OID of each sequence that was found to the indexes of
// the streams that draw from it.
func (s *Snapshot) SequenceRefs() map[uint32][]int {
	refs := make(map[uint32][]int)
	for i, stream := range s.Streams {
		if stream.SequenceOID != 0 {
			refs[stream.SequenceOID] = append(refs[stream.SequenceOID], i)
		}
	}
	return refs
}

// Warning tells whether f is met but asks for attention.
func (f Finding) Warning() bool { return f.OK && f.Fix != "" }
