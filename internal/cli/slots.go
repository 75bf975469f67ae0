package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-pg/tidemark/follower/slots"
	"github.com/tidemark-pg/tidemark/internal/config"
)

// apart is the time between two samples: they tell how fast WAL is written.
const apart = time.Second

func slotsCommand(sys System) *cobra.Command {
	cmd := &cobra.Command{
		Use: "slots (-c FILE | --database URL)", Short: "judge every logical replication slot of the server", Args: exactly(),
		Long: "slots looks at every logical slot of the server twice, a second apart, and says\n" +
			"which ones are well, which are not, why, and what to do. No daemon is needed. It\n" +
			"ends with 0 whatever the verdicts. What the role may not see is left out: grant\n" +
			"it pg_read_all_stats to see who holds a slot back, and since when.\n\n" +
			"That a connected consumer confirms nothing (stalled) shows after 30 seconds, and\n" +
			"before PostgreSQL 17 that nobody is connected (inactive) after 60: look so long\n" +
			"with --for 65s, or ask a daemon, which looks all the time.",
	}
	cfgFlag := configFlag(cmd, sys)
	database := cmd.Flags().String("database", "", "connection `URL` of the server, in place of a configuration")
	asJSON := cmd.Flags().Bool("json", false, "print JSON, as /v1/slots answers")
	span := cmd.Flags().Duration("for", apart, "how long to look before judging")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *span <= 0 {
			return usage("--for is %s: write a duration such as 65s", *span)
		}
		url, err := slotsDatabase(cfgFlag, *database)
		if err != nil {
			return err
		}
		report, err := inspectSlots(cmd.Context(), url, *span, func(left time.Duration) {
			_, _ = fmt.Fprintf(sys.Stderr, "tidemark: looking at the slots for %s more\n", slots.HumanDuration(left)) // nobody may be there
		})
		if err != nil {
			return err
		}
		show := printSlots
		if *asJSON {
			show = printSlotsJSON
		}
		if err := show(sys.Stdout, report); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	}
	return cmd
}

// slotsDatabase is the server that is named, in one way or another.
func slotsDatabase(c *configured, database string) (string, error) {
	switch {
	case c.path != "" && database != "":
		return "", usage("a configuration and a database are named: leave out -c or --database")
	case database != "":
		return readable("--database", database)
	case c.path != "":
		cfg, err := c.load()
		if err != nil {
			return "", err
		}
		return cfg.Follower.Database, nil
	}
	if url := c.sys.Getenv(config.DatabaseURLVariable); url != "" {
		return readable(config.DatabaseURLVariable, url)
	}
	return "", usage("no server is named: name a configuration with -c FILE, or a server with --database URL")
}

// readable refuses what from holds where it is no connection string: the driver
// would take a part of a password for the host, which is shown.
func readable(from, url string) (string, error) {
	if err := config.CheckDatabaseURL(url); err != nil {
		return "", usage("%s %w", from, err)
	}
	return url, nil
}

// tellEvery is how often it is said how long looking still takes.
const tellEvery = 10 * time.Second

// inspectSlots takes samples for so long, and two at least: rates and progress
// are known only then. Where it takes longer than that, tell is told how much
// longer, at first and now and then.
func inspectSlots(ctx context.Context, database string, span time.Duration, tell func(left time.Duration)) (slots.Report, error) {
	conn, err := connect(ctx, database)
	if err != nil {
		return slots.Report{}, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // what was asked is known
	var history slots.History
	var end, told time.Time
	for {
		sample, err := slots.Inspect(ctx, conn)
		if err != nil {
			return slots.Report{}, err
		}
		now := time.Now()
		report := history.Add(now, sample)
		if end.IsZero() {
			end = now.Add(span)
		}
		if !now.Before(end) {
			return report, nil
		}
		if left := end.Sub(now); left > apart && now.Sub(told) >= tellEvery {
			tell(left)
			told = now
		}
		select {
		case <-ctx.Done():
			return slots.Report{}, ctx.Err()
		case <-time.After(min(apart, end.Sub(now))):
		}
	}
}

func printSlotsJSON(w io.Writer, r slots.Report) error {
	return json.NewEncoder(w).Encode(map[string]any{"slots": r.Slots})
}

func printSlots(w io.Writer, r slots.Report) error {
	_, err := io.WriteString(w, slotTable(r))
	return err
}

// worstFirst orders slots for a person, who looks at the top, and whose terminal
// may be cut off below.
func worstFirst(all []slots.Slot) []slots.Slot {
	return slices.SortedStableFunc(slices.Values(all), func(a, b slots.Slot) int {
		switch {
		case a.Verdict.Worse(b.Verdict):
			return -1
		case b.Verdict.Worse(a.Verdict):
			return 1
		}
		return 0
	})
}

// slotTable shows slots to a person, the worst first: a row each, and below it
// the transactions that hold it back.
func slotTable(r slots.Report) string {
	if len(r.Slots) == 0 {
		return "the server has no logical slots\n"
	}
	g := newGrid("SLOT", "DATABASE", "ACTIVE", "RETAINED", "LAG", "FAILOVER", "VERDICT", "REASON")
	for _, s := range worstFirst(r.Slots) {
		g.row(slotNotes(s, r.Time), s.Name, s.Database, reader(s),
			humanSize(s.RetainedBytes), humanSize(s.ConfirmedLagBytes), survives(s), string(s.Verdict), s.Reason)
	}
	return g.String()
}

// reader is who reads the slot.
func reader(s slots.Slot) string {
	switch {
	case !s.Active:
		return "no"
	case s.ActivePID == nil:
		return "yes"
	}
	return fmt.Sprintf("pid %d", *s.ActivePID)
}

// survives tells whether the slot is there after a failover: it is synchronised
// to standbys, or is a standby's copy of one; "-" before PostgreSQL 17.
func survives(s slots.Slot) string {
	switch {
	case s.Failover == nil || s.Synced == nil:
		return "-"
	case *s.Synced:
		return "copy"
	case *s.Failover:
		return "yes"
	}
	return "no"
}

func humanSize(n *int64) string {
	if n == nil {
		return "-"
	}
	return slots.HumanSize(*n)
}

// slotNotes are the lines below a slot's row. That nobody is connected says
// the row itself.
func slotNotes(s slots.Slot, now time.Time) []string {
	var lines []string
	for _, h := range s.HeldBy {
		if h.PID != nil || h.GID != nil {
			lines = append(lines, "held by "+holderWords(h, now))
		}
	}
	if s.SecondsToInvalidation != nil {
		lines = append(lines, fmt.Sprintf("%s more of WAL until the server may give it up: %s at the present rate, if it moves no more",
			humanSize(s.SafeWALBytes), left(*s.SecondsToInvalidation)))
	}
	return lines
}

// left is a time that may be years: more than a Duration holds is a century.
func left(seconds int64) string {
	const most = 100 * 365 * 24 * 3600
	return slots.HumanDuration(time.Duration(min(seconds, most)) * time.Second)
}
