// Package wal compares positions in the write-ahead log the way the server
// means them.
//
// pg_current_wal_insert_lsn() says where the next record will begin. On a page
// boundary that is behind the next page's header, a place that flush and
// replay positions never name until more WAL is written: they stay at the
// page's start. A plain comparison would then wait for a record that nobody is
// going to write. (XLogBytePosToRecPtr and XLogBytePosToEndRecPtr in
// PostgreSQL's xlog.c differ in just this.)
package wal

import "github.com/jackc/pglogrepl"

// Sizes of the headers of WAL pages on 64-bit builds: SizeOfXLogShortPHD, and
// SizeOfXLogLongPHD for the first page of a segment (xlog_internal.h).
const (
	shortHeader = 24
	longHeader  = 40
)

// Geometry is how a server cuts its WAL. Both sizes are powers of two.
type Geometry struct {
	Block   uint64 // wal_block_size in bytes
	Segment uint64 // wal_segment_size in bytes
}

// DefaultGeometry is what PostgreSQL is built with unless asked otherwise.
func DefaultGeometry() Geometry { return Geometry{Block: 8192, Segment: 16 << 20} }

// Reached reports whether have, a flush or replay position, covers all WAL
// that ended at want, an insert position.
func (g Geometry) Reached(have, want pglogrepl.LSN) bool { return have >= g.End(want) }

// End turns an insert position into the end of the last record before it: the
// position that flush and replay arrive at.
func (g Geometry) End(insert pglogrepl.LSN) pglogrepl.LSN {
	switch p := uint64(insert); {
	case g.Segment != 0 && p%g.Segment == longHeader:
		return insert - longHeader
	case g.Block != 0 && p%g.Block == shortHeader && p%g.Segment != shortHeader:
		return insert - shortHeader
	}
	return insert
}
