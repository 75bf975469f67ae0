package ledger

// LSN is a position in the write-ahead log.
type LSN uint64

// Sizes of the headers of WAL pages on 64-bit builds: SizeOfXLogShortPHD, and
// SizeOfXLogLongPHD for the first page of a segment (xlog_internal.h).
const (
	shortHeader = 24
	longHeader  = 40
)

// Geometry is how a server cuts its WAL, in bytes.
type Geometry struct {
	Block, Segment LSN
}

// End turns an insert position into the end of the last record before it,
// which flush positions can be compared with. On a page boundary
// pg_current_wal_insert_lsn() is behind the next page's header, a place that
// the flush position never names until more WAL is written: waiting for it
// could take until somebody writes (DESIGN, fact 4).
func (g Geometry) End(insert LSN) LSN {
	switch {
	case g.Segment != 0 && insert%g.Segment == longHeader:
		return insert - longHeader
	case g.Block != 0 && insert%g.Block == shortHeader && (g.Segment == 0 || insert%g.Segment != shortHeader):
		return insert - shortHeader
	}
	return insert
}
