package torture

import (
	"flag"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// What a run is told after -args. Without anything it is the short run that is
// a part of every test of the module.
var (
	seedFlag     = flag.Uint64("seed", 1, "decides about everything that is random; 0: the time")
	durationFlag = flag.Duration("duration", 6*time.Second, "how long writers write, on each major version")
	pgFlag       = flag.String("pg", "", "major versions, such as 15,18; empty: what the other tests use")
	faultsFlag   = flag.String("faults", "quick", "all, quick, none, or names separated by commas")
	logFlag      = flag.Bool("log", false, "log what the followers log")
)

func TestMain(m *testing.M) {
	if os.Getenv(envProgram) != "" {
		os.Exit(runProgram())
	}
	flag.Parse()
	goleak.VerifyTestMain(m)
}

// options are a run's.
type options struct {
	seed     uint64
	duration time.Duration
	kinds    []kind
}

func parsedOptions(t *testing.T) options {
	t.Helper()
	o := options{seed: *seedFlag, duration: *durationFlag}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	all := kinds()
	switch *faultsFlag {
	case "all":
		o.kinds = all
	case "quick":
		o.kinds = slices.DeleteFunc(all, func(k kind) bool { return !k.quick })
	case "none":
	default:
		for name := range strings.SplitSeq(*faultsFlag, ",") {
			n := slices.IndexFunc(all, func(k kind) bool { return k.name == name })
			if n < 0 {
				t.Fatalf("-faults %s: there is no fault %q", *faultsFlag, name)
			}
			o.kinds = append(o.kinds, all[n])
		}
	}
	return o
}

// majors are the versions that -pg names; 0 is what other tests use.
func majors(t *testing.T) []int {
	t.Helper()
	if *pgFlag == "" {
		return []int{0}
	}
	var all []int
	for field := range strings.SplitSeq(*pgFlag, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil {
			t.Fatalf("-pg %s: %v", *pgFlag, err)
		}
		all = append(all, n)
	}
	return all
}
