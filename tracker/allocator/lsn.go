package allocator

// lsn is a position in the write-ahead log.
type lsn uint64

// Sizes of the headers of WAL pages on 64-bit builds: SizeOfXLogShortPHD, and
// SizeOfXLogLongPHD for the first page of a segment (xlog_internal.h).
const (
	shortHeader = 24
	longHeader  = 40
)

// geometry is how a server cuts its WAL, in bytes.
type geometry struct {
	block, segment lsn
}

// end turns an insert position into the end of the last record before it,
// which flush positions can be compared with. On a page boundary
// pg_current_wal_insert_lsn() is behind the next page's header, a place that
// the flush position never names until more WAL is written: waiting for it
// could take until somebody writes (DESIGN, fact 4).
func (g geometry) end(insert lsn) lsn {
	switch {
	case g.segment != 0 && insert%g.segment == longHeader:
		return insert - longHeader
	case g.block != 0 && insert%g.block == shortHeader && (g.segment == 0 || insert%g.segment != shortHeader):
		return insert - shortHeader
	}
	return insert
}
