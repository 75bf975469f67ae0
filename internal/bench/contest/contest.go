package contest

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
)

// Result is what one run of a contender measured, by the name of the metric.
type Result map[string]float64

// Contender is one of those that are compared.
type Contender struct {
	// Name as tables and plots show it.
	Name string
	// X is where a run lies on the axis of a curve: how much work there was.
	X float64
	// Run does the work once. It leaves the bed as it found it.
	Run func(ctx context.Context) (Result, error)
}

// Metric is one thing that runs measure.
type Metric struct {
	// Name is the key in a Result, and what tables show.
	Name string
	// Unit of the numbers: "ns", "ms", "rows/s", …
	Unit string
}

// Chart says how a comparison is drawn.
type Chart struct {
	// Metric that is drawn; "" draws nothing.
	Metric string
	// Log draws values on a logarithmic scale.
	Log bool
	// Axis is the title of the axis of X; it makes the chart one of lines.
	Axis string
}

// Comparison is one row of the table, or one curve.
type Comparison struct {
	// Key chooses it on the command line and names its picture.
	Key string
	// Title says what is compared, Method how.
	Title, Method string
	// Rounds at full scale.
	Rounds int
	// Metrics in the order in which they are shown.
	Metrics []Metric
	// Targets that the medians are held to.
	Targets []Target
	// Chart to draw.
	Chart Chart
	// Notes are shown below the table: reasons and limits.
	Notes []string
	// Prepare makes what all rounds share and returns the contenders.
	Prepare func(ctx context.Context, s *Stage) ([]Contender, error)
}

// Stage is where a comparison takes place.
type Stage struct {
	// Server is the PostgreSQL server that all comparisons share.
	Server *bed.Server
	// Scale is 1 for a full run; counts and durations shrink with it.
	Scale float64
	// Program is the path of this program, for parts that run as processes of
	// their own.
	Program string

	closers []func() error
}

// Count scales a number of things, to no fewer than least.
func (s *Stage) Count(full, least int) int {
	return max(least, int(math.Round(float64(full)*s.Scale)))
}

// Span scales a duration, to no less than 100 ms.
func (s *Stage) Span(full time.Duration) time.Duration {
	return max(100*time.Millisecond, time.Duration(float64(full)*s.Scale))
}

// trial is the scale below which nothing is measured: whether everything still
// runs is all that such a run tells.
const trial = 0.01

// Rule is a duration that belongs to what is compared, and stays as it is but
// in a trial.
func (s *Stage) Rule(full time.Duration) time.Duration {
	if s.Scale < trial {
		return 200 * time.Millisecond
	}
	return full
}

// Size is how large something is whose size is compared: as large as it should
// be but in a trial.
func (s *Stage) Size(full int) int {
	if s.Scale < trial {
		return min(full, 3)
	}
	return full
}

// Defer has fn called when the comparison is over, the last one first.
func (s *Stage) Defer(fn func() error) { s.closers = append(s.closers, fn) }

// Database makes a database of the comparison's own, dropped at its end.
func (s *Stage) Database(ctx context.Context, name string) (*bed.Database, error) {
	db, err := s.Server.Database(ctx, name)
	if err != nil {
		return nil, err
	}
	s.Defer(func() error { return db.Drop(context.WithoutCancel(ctx)) })
	return db, nil
}

// close undoes what Prepare made.
func (s *Stage) close() error {
	var err error
	for i := len(s.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, s.closers[i]())
	}
	s.closers = nil
	return err
}
