package server

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// primaries keeps to the newest of several primaries: after a failover the
// former one may come back and take writes, while nobody reads them. The zero
// value knows of none.
type primaries struct {
	mu       sync.Mutex // protects what follows
	system   string
	timeline int32 // the highest that was reached
}

// surveyWithin bounds a look at a host that may be gone without a word.
const surveyWithin = 2 * time.Second

// admit reports a server that is on an older timeline than one that was
// reached before. RULES 11.
func (p *primaries) admit(system string, timeline int32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if system == p.system && timeline < p.timeline {
		return fmt.Errorf("it is on timeline %d, timeline %d has been reached: it is a former primary", timeline, p.timeline)
	}
	p.system, p.timeline = system, timeline
	return nil
}

// newest makes every connection look for the newest primary among the hosts,
// where there are several. accept is what else a server must fulfil.
func (d *Dialer) newest(accept pgconn.ValidateConnectFunc) pgconn.ValidateConnectFunc {
	if len(d.hosts()) < 2 {
		return accept
	}
	return func(ctx context.Context, conn *pgconn.PgConn) error {
		if err := accept(ctx, conn); err != nil {
			return err
		}
		system, timeline, err := whereabouts(ctx, conn)
		if err != nil {
			return err
		}
		return d.primaries.admit(system, timeline)
	}
}

// whereabouts asks for system identifier and timeline, in a way that a
// replication connection understands too.
func whereabouts(ctx context.Context, conn *pgconn.PgConn) (system string, timeline int32, err error) {
	results, err := conn.Exec(ctx, `SELECT s.system_identifier::text,
		('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int4 FROM pg_control_system() s`).ReadAll()
	if err != nil {
		return "", 0, fmt.Errorf("ask which server it is: %w", err)
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 2 {
		return "", 0, fmt.Errorf("ask which server it is: %d results", len(results))
	}
	row := results[0].Rows[0]
	n, err := strconv.ParseInt(string(row[1]), 10, 32)
	if err != nil {
		return "", 0, fmt.Errorf("ask which server it is: %w", err)
	}
	return string(row[0]), int32(n), nil
}

// hosts are the configurations of the hosts one by one, each with its ways to
// connect: with TLS and without.
func (d *Dialer) hosts() []*pgconn.Config {
	type address struct {
		host string
		port uint16
	}
	var all []*pgconn.Config
	at := make(map[address]*pgconn.Config)
	ways := append([]*pgconn.FallbackConfig{{Host: d.config.Host, Port: d.config.Port, TLSConfig: d.config.TLSConfig}}, d.config.Fallbacks...)
	for _, way := range ways {
		a := address{way.Host, way.Port}
		if one := at[a]; one != nil {
			one.Fallbacks = append(one.Fallbacks, way)
			continue
		}
		one := d.config.Config.Copy()
		one.Host, one.Port, one.TLSConfig, one.Fallbacks = way.Host, way.Port, way.TLSConfig, nil
		at[a] = one
		all = append(all, one)
	}
	return all
}

// Survey looks at every host, where there are several, so that the next
// connection reaches the newest primary. A host that is down is none.
func (d *Dialer) Survey(ctx context.Context) {
	hosts := d.hosts()
	if len(hosts) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, surveyWithin)
	defer cancel()
	var looking sync.WaitGroup
	for _, host := range hosts {
		looking.Go(func() {
			conn, err := pgconn.ConnectConfig(ctx, host)
			if err == nil {
				_ = conn.Close(ctx) // it has told what it had to
			}
		})
	}
	looking.Wait()
}

// Outdated reports whether a newer primary than this one has been reached.
func (d *Dialer) Outdated(id Identity) bool {
	d.primaries.mu.Lock()
	defer d.primaries.mu.Unlock()
	return id.System == d.primaries.system && id.Timeline < d.primaries.timeline
}
