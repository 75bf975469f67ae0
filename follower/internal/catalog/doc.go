// Package catalog answers one question: what does the database say about the
// configured streams? It resolves their tables, columns, sequences and
// publications, and checks every requirement, each failed one with the
// statement or setting that mends it.
//
// Inspect first reads facts, in at most six round trips whatever the number of
// streams, and then judges them without asking again. It reads system
// catalogs only, so it takes no lock on a table or a sequence of the user's:
// it neither waits for a queued ALTER TABLE (RULES 6) nor holds a fence back
// (RULES 5: nothing here calls nextval, currval, lastval or
// pg_sequence_last_value, or reads the view pg_sequences). A role with LOGIN
// and REPLICATION, and SELECT on the tables and sequences of the streams, is
// enough. What such a role cannot see is said in a finding that is OK and has
// a detail.
//
// An unmet requirement is a Finding and never an error: the caller decides
// whether it ends the program (at the start), halts a stream (later) or is
// printed (check).
package catalog
