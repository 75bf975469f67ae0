package config

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"github.com/tidemark-pg/tidemark/follower"
)

// maxStreamName is the longest name of a stream, in bytes.
const maxStreamName = 200

// direction is how a stream's ids run.
type direction string

const (
	ascending  direction = "ascending"
	descending direction = "descending"
)

// DefaultWriter names the one writer of a table without instance column.
const DefaultWriter = "main"

func (d *document) streams(into *[]follower.StreamConfig) reader {
	return d.sequence(func(n ast.Node, path string) {
		*into = append(*into, d.stream(n, path))
	})
}

func (d *document) stream(n ast.Node, path string) follower.StreamConfig {
	s := follower.StreamConfig{Allocation: follower.AllocationTransaction}
	ids := ascending
	d.section(fields{
		"name":       d.checked(&s.Name, checkStreamName),
		"allocation": oneOf(d, &s.Allocation, follower.AllocationTransaction, follower.AllocationAnnounced),
		"direction":  oneOf(d, &ids, ascending, descending),
		"sequence":   d.checked(&s.Sequence, checkOptionalSQLName),
		"writers":    d.texts(&s.Writers),
		"tables":     d.tables(&s.Tables),
	})(n, path)
	s.Descending = ids == descending
	d.required(path, "name", "tables")
	return s
}

func checkStreamName(s string) (what, do string) {
	switch {
	case s == "":
		return "is empty", "name the stream"
	case len(s) > maxStreamName:
		return fmt.Sprintf("is %d bytes long", len(s)), fmt.Sprintf("use at most %d", maxStreamName)
	}
	return "", ""
}

func (d *document) tables(into *[]follower.TableConfig) reader {
	return d.sequence(func(n ast.Node, path string) {
		*into = append(*into, d.table(n, path))
	})
}

func (d *document) table(n ast.Node, path string) follower.TableConfig {
	var t follower.TableConfig
	d.section(fields{
		"name":            d.checked(&t.Name, checkSQLName),
		"id_column":       d.checked(&t.IDColumn, checkIdentifier),
		"instance_column": d.checked(&t.InstanceColumn, checkOptionalColumn),
		"writer":          d.text(&t.Writer),
	})(n, path)
	d.required(path, "name", "id_column")
	if t.InstanceColumn == "" && !d.given(path+".writer") {
		t.Writer = DefaultWriter
	}
	return t
}

func checkOptionalColumn(s string) (what, do string) {
	if s == "" {
		return "", ""
	}
	return checkIdentifier(s)
}
