package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/tidemark-pg/tidemark/internal/bench/bed"
	"github.com/tidemark-pg/tidemark/internal/bench/contest"
	"github.com/tidemark-pg/tidemark/internal/bench/report"
	"github.com/tidemark-pg/tidemark/internal/bench/rows"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options of the command line.
type options struct {
	only        string
	scale       float64
	out, images string
	readme      string
	profile     string
	major       int
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.only, "only", "", "run these comparisons, such as 2,5,waiters; empty: all")
	flags.Float64Var(&o.scale, "scale", 1, "share of the work to do")
	flags.StringVar(&o.out, "out", ".", "directory for results.md and results.json")
	flags.StringVar(&o.images, "images", "", "directory for bench-*.svg; empty: that of -out")
	flags.StringVar(&o.readme, "readme", "", "file whose table is replaced")
	flags.StringVar(&o.profile, "cpuprofile", "", "file for a profile of this program's processor time")
	flags.IntVar(&o.major, "pg", 0, "major version of PostgreSQL; 0: the newest that is installed with pg_recvlogical")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.scale <= 0 {
		return o, errors.New("-scale must be above 0")
	}
	if o.images == "" {
		o.images = o.out
	}
	return o, nil
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == rows.PartArgument {
		return rows.RunPart(ctx, args[1:], out)
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	comparisons, err := choose(rows.All(), o.only)
	if err != nil {
		return err
	}
	stop, err := profile(o.profile)
	if err != nil {
		return err
	}
	return errors.Join(measure(ctx, o, comparisons, out), stop())
}

// profile writes a profile into the named file until stop; "" is none.
func profile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("make the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// choose keeps the comparisons whose keys are listed, or all.
func choose(all []contest.Comparison, only string) (chosen []contest.Comparison, err error) {
	if only == "" {
		return all, nil
	}
	for key := range strings.SplitSeq(only, ",") {
		before := len(chosen)
		for _, c := range all {
			if c.Key == strings.TrimSpace(key) {
				chosen = append(chosen, c)
			}
		}
		if len(chosen) == before {
			return nil, fmt.Errorf("-only: there is no comparison %q", key)
		}
	}
	return chosen, nil
}

func measure(ctx context.Context, o options, comparisons []contest.Comparison, out io.Writer) (err error) {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	server, err := bed.Start(ctx, o.major)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	r := report.Report{Machine: report.ThisMachine(server.Version), Scale: o.scale}
	stage := contest.Stage{Server: server, Scale: o.scale, Program: program}
	for _, c := range comparisons {
		fmt.Fprintf(out, "%s · %s\n", c.Key, c.Title)
		outcome, err := c.Run(ctx, stage, func(contender string, result contest.Result) {
			fmt.Fprintf(out, "  %-36s %s\n", contender, line(c.Metrics, result))
		})
		if err != nil {
			return err
		}
		verdicts(out, outcome)
		r.Outcomes = append(r.Outcomes, outcome)
	}
	if err := r.Write(o.out, o.images); err != nil || o.readme == "" {
		return err
	}
	return r.UpdateReadme(o.readme)
}
