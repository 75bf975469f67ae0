package session

import (
	"bytes"
	"fmt"

	"github.com/tidemark-pg/tidemark/decoder"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
)

// announcing reads rows of the positions table.
type announcing struct {
	Positions
	relation             *decoder.Relation
	stream, instance, id int
	idType               uint32
}

// bind finds the columns in the relation as it is described now.
func (a *announcing) bind(r *decoder.Relation) error {
	if a.relation == r {
		return nil
	}
	for name, place := range map[string]*int{"stream_name": &a.stream, "instance_name": &a.instance, "stream_id": &a.id} {
		if *place = r.Column(name); *place < 0 {
			return &RequirementError{
				Stream: -1, Table: a.TableName, Column: name, Problem: "the publication does not send such a column",
			}
		}
	}
	a.idType = r.Columns[a.id].TypeOID
	a.relation = r
	return nil
}

func (a *announcing) sameKey(e *decoder.Event) bool {
	return bytes.Equal(e.Old.Value(a.stream).Bytes, e.New.Value(a.stream).Bytes) &&
		bytes.Equal(e.Old.Value(a.instance).Bytes, e.New.Value(a.instance).Bytes)
}

// change turns an insert, update or delete into runs. A row of a stream that is
// not configured is nobody's.
func (a *announcing) change(dec *decoder.Decoder, e *decoder.Event, runs []gate.Run) ([]gate.Run, error) {
	if err := a.bind(e.Relation); err != nil {
		return runs, err
	}
	// The old row comes with a delete, with an update that changes the key (the
	// position under the old name is gone), and under REPLICA IDENTITY FULL
	// with every update.
	if e.HasOld && (e.Kind == decoder.KindDelete || !a.sameKey(e)) {
		if i, ok := a.Streams[string(e.Old.Value(a.stream).Bytes)]; ok {
			runs = append(runs, gate.Run{
				Stream: i, Table: -1, Verb: gate.Withdrawn, Writer: dec.Intern(e.Old.Value(a.instance).Bytes),
			})
		}
	}
	if e.Kind == decoder.KindDelete {
		return runs, nil
	}
	i, ok := a.Streams[string(e.New.Value(a.stream).Bytes)]
	if !ok {
		return runs, nil
	}
	id, err := e.New.Value(a.id).Int64(a.idType)
	if err != nil {
		return runs, fmt.Errorf("table %s, column \"stream_id\": %w", a.TableName, err)
	}
	return append(runs, gate.Run{
		Stream: i, Table: -1, Verb: gate.Announced, Writer: dec.Intern(e.New.Value(a.instance).Bytes), From: id, To: id,
	}), nil
}
