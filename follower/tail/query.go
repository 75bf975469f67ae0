package tail

import (
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/follower/internal/catalog"
)

// pageQuery is the statement that reads one page of a stream: at most $3 rows
// beyond $1 up to $2, and the rest of the last id. It is one statement for all
// tables, so that a row that moves between them is seen once; each arm reads
// its table's index; and whole ids are taken in the arms and outside, or rows
// would fall between two pages. RULES 22.
func pageQuery(s catalog.ResolvedStream) string {
	arms := make([]string, len(s.Tables))
	for i, t := range s.Tables {
		arms[i] = "(" + arm(i, t, s.Descending) + ")"
	}
	return "SELECT id, instance, arm, columns FROM (" + strings.Join(arms, "\nUNION ALL\n") + ") AS page\n" +
		"ORDER BY id" + direction(s.Descending) + " FETCH FIRST ($3::int8) ROWS WITH TIES"
}

// arm reads one table. Ids are compared and ordered as they are, for a cast
// would keep the index out. r.* as an argument is the whole row, even where a
// column is called r.
func arm(i int, t catalog.ResolvedTable, descending bool) string {
	instance := "NULL::text"
	if t.InstanceColumn != "" {
		instance = "coalesce(r." + quoted(t.InstanceColumn) + "::text, '')"
	}
	after, upTo := "ID > $1::int8", "ID <= $2::int8"
	if descending {
		after, upTo = "ID < $1::int8", "ID >= $2::int8"
	}
	return strings.NewReplacer("INSTANCE", instance, "ID", "r."+quoted(t.IDColumn), "TABLE", t.QuotedName, "ARM", strconv.Itoa(i)).
		Replace("SELECT ID::int8 AS id, INSTANCE AS instance, ARM AS arm, pg_catalog.row_to_json(r.*)::text AS columns" +
			" FROM TABLE AS r WHERE " + after + " AND " + upTo +
			" ORDER BY ID" + direction(descending) + " FETCH FIRST ($3::int8) ROWS WITH TIES")
}

func direction(descending bool) string {
	if descending {
		return " DESC"
	}
	return ""
}

func quoted(column string) string { return pgx.Identifier{column}.Sanitize() }

// unchanged tells whether the stream's sequence $1 still is what it was. It is
// asked after the page, in the same transaction: the locks on the tables stand
// until then, so ids that started over before the page was read show here.
// (RULES 4: TRUNCATE … RESTART IDENTITY gives the sequence another file.)
const unchanged = `SELECT $1::oid = 0 OR pg_catalog.pg_relation_filenode($1::oid) IS NOT DISTINCT FROM $2::oid`
