package decoder_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/tidemark-pg/tidemark/decoder"
)

// describe writes all of an event that is not zero, whatever its kind: a field
// that a kind should not have would show.
func describe(e *decoder.Event) string {
	var b strings.Builder
	fmt.Fprint(&b, e.Kind)
	field := func(name string, v any, zero bool) {
		if !zero {
			fmt.Fprintf(&b, " %s=%v", name, v)
		}
	}
	field("xid", e.XID, e.XID == 0)
	field("commit", e.CommitLSN, e.CommitLSN == 0)
	field("end", e.EndLSN, e.EndLSN == 0)
	field("time", e.CommitTime.Format(time.RFC3339Nano), e.CommitTime.IsZero())
	field("cascade", true, !e.Cascade)
	field("restart", true, !e.RestartIdentity)
	field("type", fmt.Sprintf("%d %q.%q", e.Type.OID, e.Type.Namespace, e.Type.Name), e.Type.OID == 0)
	field("origin", fmt.Sprintf("%q at %v", e.Origin.Name, e.Origin.CommitLSN), e.Origin.Name == nil)
	field("message", describeMessage(e.Message), e.Message.Prefix == nil)
	if e.Relation != nil {
		b.WriteString(describeRelation(e.Relation, e.Kind == decoder.KindRelation))
	}
	if e.HasOld || e.Old.Len() > 0 {
		b.WriteString("\n  " + map[bool]string{true: "key:", false: "old:"}[e.OldIsKey] + describeTuple(e.Relation, e.Old))
	}
	if e.New.Len() > 0 {
		b.WriteString("\n  new:" + describeTuple(e.Relation, e.New))
	}
	for _, t := range e.Truncated {
		fmt.Fprintf(&b, "\n  oid=%d", t.OID)
		if t.Relation != nil {
			b.WriteString(describeRelation(t.Relation, false))
		}
	}
	return b.String()
}

func describeMessage(m decoder.Message) string {
	return fmt.Sprintf("%q content=%q at=%v transactional=%v", m.Prefix, m.Content, m.LSN, m.Transactional)
}

func describeRelation(r *decoder.Relation, full bool) string {
	s := fmt.Sprintf(" %q.%q", r.Namespace, r.Name)
	if !full {
		return s
	}
	s += fmt.Sprintf(" oid=%d identity=%c", r.OID, r.ReplicaIdentity)
	for _, c := range r.Columns {
		s += fmt.Sprintf("\n  %q type=%d modifier=%d", c.Name, c.TypeOID, c.TypeModifier)
		if c.Key {
			s += " key"
		}
	}
	return s
}

func describeTuple(r *decoder.Relation, t decoder.Tuple) string {
	var s string
	for i := range t.Len() {
		s += fmt.Sprintf(" %s=%s", r.Columns[i].Name, describeValue(t.Value(i), r.Columns[i].TypeOID))
	}
	return s
}

// describeValue shows the integer too where the value is one.
func describeValue(v decoder.Value, typeOID uint32) string {
	switch v.Kind {
	case decoder.ValueNull:
		return "null"
	case decoder.ValueUnchanged:
		return "unchanged"
	}
	s := fmt.Sprintf("%c%q", v.Kind, v.Bytes)
	if n, err := v.Int64(typeOID); err == nil {
		s += fmt.Sprintf("(%d)", n)
	}
	return s
}
