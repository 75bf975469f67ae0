package rows

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// cost is what a process has used, by its own metrics.
type cost struct {
	seconds float64 // of processor time
	bytes   float64 // of memory, resident
}

// scrape reads what a daemon has used.
func scrape(ctx context.Context, daemon string) (c cost, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+daemon+"/metrics", nil)
	if err != nil {
		return c, fmt.Errorf("read metrics: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, fmt.Errorf("read metrics: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	wanted := map[string]*float64{"process_cpu_seconds_total": &c.seconds, "process_resident_memory_bytes": &c.bytes}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if to := wanted[name]; to != nil {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return c, fmt.Errorf("read metrics: %w", err)
			}
			delete(wanted, name)
		}
	}
	if len(wanted) > 0 {
		return c, fmt.Errorf("read metrics: %s does not tell what it uses", daemon)
	}
	return c, nil
}
