package peer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// Loop receives a slot as the example of pglogrepl does: one message at a time
// with a deadline, each parsed, each row made a map of its columns' values. It
// does not print them, as the example does.
type Loop struct {
	// URL is the database, Publication what is read.
	URL, Publication string
	// Slot that exists; "" makes a temporary one.
	Slot string
	// StartedFunc, where it is set, is called when the slot is being read.
	StartedFunc func()
	// CommitFunc is told of each transaction that has been received entirely,
	// with the values of the column id of its rows. It keeps nothing of them.
	// Where it returns true the loop ends.
	CommitFunc func(ids []int64) (done bool)
}

// statusEvery is how often the example tells the server where it is.
const statusEvery = 10 * time.Second

// receiving is a loop that runs.
type receiving struct {
	Loop
	conn      *pgconn.PgConn
	position  pglogrepl.LSN
	status    time.Time // when to tell next
	relations map[uint32]*pglogrepl.RelationMessage
	types     *pgtype.Map
	ids       []int64
}

// Run receives until CommitFunc has enough, which is no error, or ctx ends.
func (l Loop) Run(ctx context.Context) error {
	config, err := pgconn.ParseConfig(l.URL)
	if err != nil {
		return fmt.Errorf("read the URL: %w", err)
	}
	config.RuntimeParams["replication"] = "database"
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	r := &receiving{
		Loop: l, conn: conn, relations: map[uint32]*pglogrepl.RelationMessage{}, types: pgtype.NewMap(),
		status: time.Now().Add(statusEvery),
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	if l.StartedFunc != nil {
		l.StartedFunc()
	}
	for {
		if done, err := r.step(ctx); done || err != nil {
			return err
		}
	}
}

func (r *receiving) start(ctx context.Context) error {
	slot := r.Slot
	if slot == "" {
		slot = fmt.Sprintf("loop_%d", r.conn.PID())
		_, err := pglogrepl.CreateReplicationSlot(ctx, r.conn, slot, "pgoutput", pglogrepl.CreateReplicationSlotOptions{Temporary: true})
		if err != nil {
			return fmt.Errorf("make slot: %w", err)
		}
	}
	err := pglogrepl.StartReplication(ctx, r.conn, slot, 0, pglogrepl.StartReplicationOptions{
		PluginArgs: []string{"proto_version '1'", "publication_names '" + r.Publication + "'"},
	})
	if err != nil {
		return fmt.Errorf("start replication: %w", err)
	}
	return nil
}

// step receives one message.
func (r *receiving) step(ctx context.Context) (done bool, err error) {
	if time.Now().After(r.status) {
		err := pglogrepl.SendStandbyStatusUpdate(ctx, r.conn, pglogrepl.StandbyStatusUpdate{WALWritePosition: r.position})
		if err != nil {
			return false, fmt.Errorf("send status: %w", err)
		}
		r.status = time.Now().Add(statusEvery)
	}
	wait, cancel := context.WithDeadline(ctx, r.status)
	raw, err := r.conn.ReceiveMessage(wait)
	cancel()
	if err != nil {
		if pgconn.Timeout(err) && ctx.Err() == nil {
			return false, nil
		}
		return false, fmt.Errorf("receive: %w", err)
	}
	switch msg := raw.(type) {
	case *pgproto3.ErrorResponse:
		return false, fmt.Errorf("the server says: %s", msg.Message)
	case *pgproto3.CopyData:
		return r.data(msg.Data)
	}
	return false, nil
}

var errEmpty = errors.New("empty message")

func (r *receiving) data(data []byte) (done bool, err error) {
	if len(data) == 0 {
		return false, errEmpty
	}
	switch data[0] {
	case pglogrepl.PrimaryKeepaliveMessageByteID:
		alive, err := pglogrepl.ParsePrimaryKeepaliveMessage(data[1:])
		if err != nil {
			return false, err
		}
		r.position = max(r.position, alive.ServerWALEnd)
		if alive.ReplyRequested {
			r.status = time.Time{}
		}
	case pglogrepl.XLogDataByteID:
		wal, err := pglogrepl.ParseXLogData(data[1:])
		if err != nil {
			return false, err
		}
		done, err = r.message(wal.WALData)
		r.position = max(r.position, wal.WALStart)
		return done, err
	}
	return false, nil
}

// message takes one logical message.
func (r *receiving) message(data []byte) (done bool, err error) {
	msg, err := pglogrepl.Parse(data)
	if err != nil {
		return false, fmt.Errorf("parse: %w", err)
	}
	switch msg := msg.(type) {
	case *pglogrepl.RelationMessage:
		r.relations[msg.RelationID] = msg
	case *pglogrepl.InsertMessage:
		id, err := r.row(msg)
		if err != nil {
			return false, err
		}
		r.ids = append(r.ids, id)
	case *pglogrepl.CommitMessage:
		done = r.CommitFunc(r.ids)
		r.ids = r.ids[:0]
	}
	return done, nil
}

// row makes a map of the row's values, and returns its id.
func (r *receiving) row(msg *pglogrepl.InsertMessage) (id int64, err error) {
	relation, ok := r.relations[msg.RelationID]
	if !ok {
		return 0, fmt.Errorf("row of the unknown relation %d", msg.RelationID)
	}
	values := map[string]any{}
	for i, column := range msg.Tuple.Columns {
		name := relation.Columns[i].Name
		switch column.DataType {
		case 'n':
			values[name] = nil
		case 't':
			if values[name], err = r.decode(column.Data, relation.Columns[i].DataType); err != nil {
				return 0, fmt.Errorf("decode column %s: %w", name, err)
			}
		}
	}
	id, ok = values["id"].(int64)
	if !ok {
		return 0, errors.New("a row without an id")
	}
	return id, nil
}

func (r *receiving) decode(data []byte, oid uint32) (any, error) {
	if t, ok := r.types.TypeForOID(oid); ok {
		return t.Codec.DecodeValue(r.types, oid, pgtype.TextFormatCode, data)
	}
	return string(data), nil
}
