package allocator

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tidemark-pg/tidemark/internal/pgcluster/pgtest"
)

func mustExec(t testing.TB, conn *pgx.Conn, sql string) {
	t.Helper()
	pgtest.Exec(t, conn, sql)
}
