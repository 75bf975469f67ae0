package tracker

import "sort"

// chunkRuns is how many runs a chunk holds. It bounds the memory moved by an
// insert (2 KB) and by taking the front away.
const chunkRuns = 128

// run is a stretch of done ids without a gap, both ends included.
type run struct{ from, to int64 }

// runSet holds the done ids above the position as runs: disjoint, in order and
// never touching, so that memory grows with the number of gaps, not of ids.
//
// It is a list of chunks rather than a tree because nearly every insert falls
// into the last chunk (ids are drawn in order, commits are only a little out
// of it), and because passing a million of them at once drops whole chunks.
type runSet struct {
	chunks []*chunk // none is empty
	spare  *chunk   // one emptied chunk kept, so that a gap that opens and closes allocates nothing
}

type chunk struct {
	n    int
	runs [chunkRuns]run
}

func (c *chunk) first() *run { return &c.runs[0] }
func (c *chunk) last() *run  { return &c.runs[c.n-1] }

// search returns the first run of c whose end is at or beyond id; c.n if none.
func (c *chunk) search(id int64) int {
	if id > c.last().to {
		return c.n
	}
	return sort.Search(c.n, func(i int) bool { return c.runs[i].to >= id })
}

func (c *chunk) insert(i int, r run) {
	copy(c.runs[i+1:c.n+1], c.runs[i:c.n])
	c.runs[i] = r
	c.n++
}

// drop takes the runs [i, j) out.
func (c *chunk) drop(i, j int) {
	copy(c.runs[i:], c.runs[j:c.n])
	c.n -= j - i
}

func (s *runSet) empty() bool { return len(s.chunks) == 0 }

// add makes the ids from..to done; 1 <= from <= to. Nothing here reaches beyond
// to, which can be the largest int64.
func (s *runSet) add(from, to int64) {
	ci, i := s.locate(from)
	if cj, j, ok := s.forward(ci, i); ok && s.chunks[cj].runs[j].from-1 <= to {
		r := &s.chunks[cj].runs[j]
		r.from, r.to = min(r.from, from), max(r.to, to)
		s.absorb(cj, j)
		return
	}
	s.insert(ci, i, run{from, to})
}

// locate returns the place of the first run that ends at or beyond from-1, or
// the end of the chunk where it belongs.
func (s *runSet) locate(from int64) (ci, i int) {
	n := len(s.chunks)
	if n == 0 {
		return 0, 0
	}
	ci = n - 1
	if from < s.chunks[ci].first().from {
		beyond := sort.Search(n, func(k int) bool { return s.chunks[k].first().from > from })
		ci = max(0, beyond-1)
	}
	return ci, s.chunks[ci].search(from - 1)
}

// forward turns a chunk's end into the start of the next chunk; false at the
// end of the set.
func (s *runSet) forward(ci, i int) (int, int, bool) {
	if ci < len(s.chunks) && i == s.chunks[ci].n {
		ci, i = ci+1, 0
	}
	return ci, i, ci < len(s.chunks)
}

// absorb merges into the run at (ci, i), which has grown, those it now reaches.
func (s *runSet) absorb(ci, i int) {
	r, shrunk := &s.chunks[ci].runs[i], false
	for {
		cj, j, ok := s.forward(ci, i+1)
		if !ok || s.chunks[cj].runs[j].from-1 > r.to {
			break
		}
		r.to = max(r.to, s.chunks[cj].runs[j].to)
		s.chunks[cj].drop(j, j+1)
		if s.chunks[cj].n == 0 {
			s.dropChunks(cj, cj+1)
		}
		shrunk = true
	}
	if shrunk {
		s.compact(ci + 1)
		s.compact(ci)
	}
}

func (s *runSet) insert(ci, i int, r run) {
	if len(s.chunks) == 0 {
		s.chunks = append(s.chunks, s.newChunk())
	}
	if c := s.chunks[ci]; c.n == chunkRuns {
		s.split(ci, i)
		if i > c.n || c.n == chunkRuns {
			ci, i = ci+1, i-c.n
		}
	}
	s.chunks[ci].insert(i, r)
}

// split makes room in the full chunk ci. At the very end it only opens a new
// chunk, so that ids that come in order leave full chunks behind.
func (s *runSet) split(ci, i int) {
	c, next := s.chunks[ci], s.newChunk()
	if i < chunkRuns || ci < len(s.chunks)-1 {
		next.n = copy(next.runs[:], c.runs[chunkRuns/2:])
		c.n -= next.n
	}
	s.chunks = append(s.chunks, nil)
	copy(s.chunks[ci+2:], s.chunks[ci+1:])
	s.chunks[ci+1] = next
}

// compact joins the chunk with its successor or predecessor when both are
// sparse, so that gaps that close in the middle give their memory back.
func (s *runSet) compact(ci int) {
	if ci >= len(s.chunks) || s.chunks[ci].n > chunkRuns/4 {
		return
	}
	if !s.join(ci) && ci > 0 {
		s.join(ci - 1)
	}
}

func (s *runSet) join(ci int) bool {
	if ci+1 >= len(s.chunks) || s.chunks[ci].n+s.chunks[ci+1].n > chunkRuns/2 {
		return false
	}
	c, next := s.chunks[ci], s.chunks[ci+1]
	c.n += copy(c.runs[c.n:], next.runs[:next.n])
	s.dropChunks(ci+1, ci+2)
	return true
}

// follow forgets everything at or below p and returns the end of the run that
// p touches, or p itself. Whole chunks go at once.
func (s *runSet) follow(p int64) int64 {
	whole := 0
	for whole < len(s.chunks) && s.chunks[whole].last().to <= p {
		whole++
	}
	s.dropChunks(0, whole)
	if s.empty() {
		return p
	}
	c := s.chunks[0]
	i := c.search(p)
	if r := c.runs[i]; r.from-1 <= p {
		p = max(p, r.to)
		i++
	}
	if c.drop(0, i); c.n == 0 {
		s.dropChunks(0, 1)
	}
	return p
}

func (s *runSet) dropChunks(i, j int) {
	if i == j {
		return
	}
	s.spare = s.chunks[i]
	copy(s.chunks[i:], s.chunks[j:])
	left := len(s.chunks) - (j - i)
	clear(s.chunks[left:])
	s.chunks = s.chunks[:left]
	if left == 0 && cap(s.chunks) > chunkRuns {
		s.chunks = nil
	}
}

func (s *runSet) newChunk() *chunk {
	c := s.spare
	if c == nil {
		return new(chunk)
	}
	s.spare, c.n = nil, 0
	return c
}
