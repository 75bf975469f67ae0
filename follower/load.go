package follower

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
	"github.com/tidemark-pg/tidemark/tracker"
)

// load observes the newest id of each writer of stream i above floor, below
// which every row has been decoded. A row that a query shows is committed and
// visible, which is all that Observe says.
func (l *listener) load(ctx context.Context, conn *pgx.Conn, i int, floor int64) error {
	c := l.footing.catalog.Streams[i]
	for _, t := range c.Tables {
		rows, err := conn.Query(ctx, newest(c.Descending, t), l.streams[i].outward(floor), t.Writer)
		if err != nil {
			return fmt.Errorf("load the writers of table %s: %w", t.Name, err)
		}
		var writer string
		var id int64
		var events []tracker.Event
		_, err = pgx.ForEachRow(rows, []any{&writer, &id}, func() error {
			events = append(events, tracker.Event{Verb: tracker.VerbObserve, Writer: writer, From: id, To: id})
			return nil
		})
		if err != nil {
			return fmt.Errorf("load the writers of table %s: %w", t.Name, err)
		}
		l.lives[i].tracker.Apply(events)
	}
	return nil
}

// newest is the query for the newest id of each writer beyond $1. Rows whose
// instance is NULL are the writer ""'s; $2 names the writer of a table without
// instances.
func newest(descending bool, t catalog.ResolvedTable) string {
	id := pgx.Identifier{t.IDColumn}.Sanitize()
	instance := "$2::text"
	if t.InstanceColumn != "" {
		instance = "coalesce(" + pgx.Identifier{t.InstanceColumn}.Sanitize() + "::text, '')"
	}
	q := `SELECT INSTANCE AS w, max(ID)::int8 FROM TABLE WHERE ID > $1::int8 AND ($2::text IS NOT NULL) GROUP BY 1`
	if descending {
		q = `SELECT INSTANCE AS w, min(ID)::int8 FROM TABLE WHERE ID < $1::int8 AND ($2::text IS NOT NULL) GROUP BY 1`
	}
	return strings.NewReplacer("INSTANCE", instance, "ID", id, "TABLE", t.QuotedName).Replace(q)
}
