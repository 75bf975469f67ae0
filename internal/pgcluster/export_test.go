package pgcluster

// Alive is alive, for tests from outside.
func Alive(pid int) bool { return alive(pid) }

// WithoutBasebackup makes the cluster copy primaries as where pg_basebackup is
// not installed.
func (c *Cluster) WithoutBasebackup(dir string) { c.binaries.Dir = dir }
