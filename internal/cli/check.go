package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/follower"
)

func checkCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check -c FILE", Short: "ask the database for every requirement, and say what mends it", Args: exactly(),
	}
	cfgFlag := configFlag(cmd, sys)
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := cfgFlag.load()
		if err != nil {
			return err
		}
		cfg.Follower.Published = follower.PublishedConfig(cfg.Published)
		findings, err := check(cmd.Context(), cfg.Follower)
		if err != nil {
			return err
		}
		report := printChecks
		if *asJSON {
			report = printChecksJSON
		}
		if err := report(sys.Stdout, findings); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return unmet(findings)
	}
	return cmd
}

// check asks for everything that cfg requires.
func check(ctx context.Context, cfg follower.Config) ([]follower.Finding, error) {
	f, err := follower.New(cfg)
	if err != nil {
		return nil, usage("%w", err)
	}
	return f.Check(ctx)
}

// unmet is the error about the first requirement that is not met, if there is one.
func unmet(findings []follower.Finding) error {
	failed := 0
	var first follower.Finding
	for _, f := range findings {
		if f.OK {
			continue
		}
		if failed++; failed == 1 {
			first = f
		}
	}
	if failed == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d requirements not met: %s: %s: to mend it: %s", failed, len(findings), first.Name, first.Detail, first.Fix)
}

// printChecks prints a line for each requirement, and below it what mends it.
func printChecks(w io.Writer, findings []follower.Finding) error {
	for _, f := range findings {
		text := mark(f) + " " + f.Name
		if f.Detail != "" {
			text += ": " + f.Detail
		}
		if _, err := fmt.Fprintln(w, printable(text)); err != nil {
			return err
		}
		if f.Fix == "" {
			continue
		}
		if _, err := fmt.Fprintln(w, printable("    to mend it: "+f.Fix)); err != nil {
			return err
		}
	}
	return nil
}

// mark tells at a glance: met, met with a warning, not met.
func mark(f follower.Finding) string {
	switch {
	case !f.OK:
		return "✗"
	case f.Fix != "":
		return "!"
	}
	return "✓"
}

// checkJSON is one finding as scripts see it.
type checkJSON struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Fix    string `json:"fix"`
}

func printChecksJSON(w io.Writer, findings []follower.Finding) error {
	report := struct {
		OK     bool        `json:"ok"`
		Checks []checkJSON `json:"checks"`
	}{OK: unmet(findings) == nil, Checks: []checkJSON{}}
	for _, f := range findings {
		report.Checks = append(report.Checks, checkJSON(f))
	}
	return json.NewEncoder(w).Encode(report)
}
