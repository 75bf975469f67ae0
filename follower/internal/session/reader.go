package session

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/tidemark-pg/tidemark/decoder"
	"github.com/tidemark-pg/tidemark/follower/internal/gate"
	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

const (
	// replyEvery is how often the slot is told what may be forgotten.
	replyEvery = time.Second
	// askAfter is how long the server may be silent before it is asked to reply.
	askAfter = 2 * time.Second
	// silentAfter is how long it may be silent before the gatekeeper asks by
	// SQL whether the walsender is merely busy.
	silentAfter = 6 * time.Second
	// backlogAge is how long before it was sent a transaction of a backlog was
	// committed. Both times are the server's: its clock need not agree with ours.
	backlogAge = time.Second
	// gatherBacklog is how long messages gather while a backlog is read, and
	// gatherCrowd while commits come in crowds, which the gate lets gather too.
	// At the highest rates seen that is well within a socket's buffer. The server
	// is told of messages received when they are read: the more of them that
	// tells of at a time, the more BBR lets out before, each as a packet.
	gatherBacklog = 300 * time.Microsecond
	gatherCrowd   = 500 * time.Microsecond
)

// reader owns the replication connection: it reads, decodes and replies.
type reader struct {
	*session
	dec    *decoder.Decoder
	binder *binder
	told   *announcing // nil: no stream is announced
	front  *pgproto3.Frontend
	conn   net.Conn
	socket syscall.RawConn // nil: there is none

	sent   int64 // when the server sent what is being read, as it tells time
	open   bool  // between Begin and Commit
	commit gate.Commit

	heard     time.Time // when the server last said something
	replied   time.Time
	confirmed pglogrepl.LSN
	reply     [34]byte
}

func newReader(s *session, dec *decoder.Decoder) *reader {
	now := time.Now()
	r := &reader{
		session: s, dec: dec, binder: newBinder(s.Routes),
		front: s.repl.Frontend(), conn: s.repl.Conn(), socket: rawOf(s.repl.Conn()), heard: now, replied: now,
	}
	if s.Positions != nil {
		r.told = &announcing{Positions: *s.Positions}
	}
	return r
}

// run reads until ctx ends or something fails. At its end it confirms what has
// passed the gate, so that the next session need not read that again.
func (r *reader) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		// Unblock the read; the connection itself stays usable for the last reply.
		_ = r.conn.SetReadDeadline(time.Unix(1, 0))
	})
	defer stop()
	for ctx.Err() == nil {
		if err := r.next(ctx); err != nil {
			r.Receiver.Passed(r.pipe.confirmable())
			return err
		}
	}
	return r.send(time.Now(), false)
}

// next handles one message, or the time that has passed without one.
func (r *reader) next(ctx context.Context) error {
	now := time.Now()
	if err := r.tick(now); err != nil {
		return err
	}
	if err := r.conn.SetReadDeadline(now.Add(replyEvery)); err != nil {
		return fmt.Errorf("read slot %q: %w", r.Slot.Name, err)
	}
	if ctx.Err() != nil {
		return nil // the deadline that AfterFunc set may just have been replaced
	}
	// What the server has already sent is read without looking at the clock.
	for range 256 {
		msg, err := r.front.Receive()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read slot %q: %w", r.Slot.Name, err)
		}
		r.heard = now
		if err := r.message(ctx, msg); err != nil {
			return err
		}
		if r.front.ReadBufferLen() == 0 {
			return r.gather()
		}
	}
	return nil
}

// gather lets messages gather at the socket where nobody waits for the next
// one. The server sends each by itself, and a reader that sleeps in between is
// woken for each: that costs many times what decoding costs, and costs the
// server too.
func (r *reader) gather() error {
	pause := time.Duration(0)
	switch {
	case r.pipe.backlog.Load():
		pause = gatherBacklog
	case r.pipe.crowded.Load():
		pause = gatherCrowd
	default:
		return nil
	}
	if err := hush(r.socket, pause); err != nil {
		return fmt.Errorf("read slot %q: %w", r.Slot.Name, err)
	}
	return nil
}

func (r *reader) message(ctx context.Context, msg pgproto3.BackendMessage) error {
	switch m := msg.(type) {
	case *pgproto3.CopyData:
		return r.copyData(ctx, m.Data)
	case *pgproto3.ErrorResponse:
		return fmt.Errorf("read slot %q: %w", r.Slot.Name, pgconn.ErrorResponseToPgError(m))
	case *pgproto3.NoticeResponse, *pgproto3.ParameterStatus:
		return nil
	case *pgproto3.CopyDone, *pgproto3.CommandComplete:
		return fmt.Errorf("read slot %q: the server ended the stream: it is stopping", r.Slot.Name)
	default:
		return fmt.Errorf("read slot %q: the server answered with %T", r.Slot.Name, msg)
	}
}

// The messages inside a replication stream begin with a byte and fixed fields:
// https://www.postgresql.org/docs/current/protocol-replication.html
const (
	xLogDataHeader  = 1 + 8 + 8 + 8
	xLogDataSent    = 1 + 8 + 8
	keepaliveLength = 1 + 8 + 8 + 1
)

func (r *reader) copyData(ctx context.Context, data []byte) error {
	switch {
	case len(data) >= xLogDataHeader && data[0] == pglogrepl.XLogDataByteID:
		r.sent = int64(binary.BigEndian.Uint64(data[xLogDataSent:]))
		return r.change(ctx, data[xLogDataHeader:])
	case len(data) == keepaliveLength && data[0] == pglogrepl.PrimaryKeepaliveMessageByteID:
		return r.keepalive(pglogrepl.LSN(binary.BigEndian.Uint64(data[1:])), data[keepaliveLength-1] != 0)
	default:
		return fmt.Errorf("read slot %q: a replication message of %d bytes begins with %.4q", r.Slot.Name, len(data), data)
	}
}

// keepalive says that the server has nothing for us below end. Inside a
// transaction it says nothing about that one.
func (r *reader) keepalive(end pglogrepl.LSN, wantsReply bool) error {
	if !r.open {
		r.pipe.advance(end)
	}
	if wantsReply {
		return r.send(time.Now(), false)
	}
	return nil
}

// change decodes one message of the output plugin. An error ends the session:
// a change that was not understood is never skipped.
func (r *reader) change(ctx context.Context, payload []byte) error {
	event, err := r.dec.Decode(payload)
	if err != nil {
		return &DecodeError{Slot: r.Slot.Name, Err: err}
	}
	switch event.Kind {
	case decoder.KindBegin:
		r.open = true
		r.commit = gate.Commit{XID: event.XID, Runs: r.pipe.runs()}
	case decoder.KindCommit:
		return r.committed(ctx, event)
	case decoder.KindRelation:
		_, err = r.binder.bind(event.Relation)
	case decoder.KindInsert, decoder.KindUpdate, decoder.KindDelete:
		if r.told != nil && event.Relation.OID == r.told.OID {
			return r.announced(event)
		}
		if event.Kind == decoder.KindInsert {
			err = r.insert(event)
		}
	}
	return err
}

// announced reads a change of the positions table.
func (r *reader) announced(event *decoder.Event) error {
	var err error
	if r.commit.Runs, err = r.told.change(r.dec, event, r.commit.Runs); err != nil {
		return &DecodeError{Slot: r.Slot.Name, Err: err}
	}
	r.commit.Ordered = true
	return nil
}

// DecodeError ends a session that met a change it does not understand. Reading
// it again would fail again: the next session has to skip it. RULES 10.
type DecodeError struct {
	Slot string
	Err  error
}

// Error names the slot and what was wrong.
func (e *DecodeError) Error() string { return fmt.Sprintf("decode slot %q: %v", e.Slot, e.Err) }

// Unwrap gives what was wrong.
func (e *DecodeError) Unwrap() error { return e.Err }

func (r *reader) insert(event *decoder.Event) error {
	routes, err := r.binder.bind(event.Relation)
	if err != nil {
		return err
	}
	for i := range routes {
		r.commit.Runs, err = routes[i].insert(r.dec, event.New, r.commit.Runs)
		if err != nil {
			return &DecodeError{Slot: r.Slot.Name, Err: err}
		}
		r.commit.Ordered = r.commit.Ordered || routes[i].Ordered
	}
	return nil
}

// committed queues the transaction at the gate. While the gate is full it reads
// nothing more, but replies on time.
func (r *reader) committed(ctx context.Context, event *decoder.Event) error {
	r.open = false
	r.commit.LSN, r.commit.End = pglogrepl.LSN(event.CommitLSN), pglogrepl.LSN(event.EndLSN)
	r.commit.Time, r.commit.Decoded = event.CommitTime, time.Now()
	r.pipe.backlog.Store(r.sent-microseconds(event.CommitTime) > backlogAge.Microseconds())
	room := r.pipe.add(r.commit)
	r.commit = gate.Commit{}
	for !room {
		select {
		case <-r.pipe.roomy:
			room = true
		case <-ctx.Done():
			return nil
		case <-time.After(replyEvery):
			if err := r.send(time.Now(), false); err != nil {
				return err
			}
		}
		r.heard = time.Now()
	}
	return nil
}

// tick replies on time and notices a server that says nothing.
func (r *reader) tick(now time.Time) error {
	if since(r.heard, now, silentAfter) {
		signal(r.pipe.silent)
	}
	if !since(r.replied, now, replyEvery-time.Millisecond) {
		return nil
	}
	return r.send(now, since(r.heard, now, askAfter))
}

// send tells the server how far it may forget, and that we are alive. An old
// confirmation is never taken back.
func (r *reader) send(now time.Time, ask bool) error {
	r.confirmed = max(r.confirmed, r.pipe.confirmable())
	r.Receiver.Passed(r.confirmed)
	r.replied = now
	b := r.reply[:]
	b[0] = pglogrepl.StandbyStatusUpdateByteID
	binary.BigEndian.PutUint64(b[1:], uint64(r.confirmed))
	binary.BigEndian.PutUint64(b[9:], uint64(r.confirmed))
	binary.BigEndian.PutUint64(b[17:], uint64(r.confirmed))
	binary.BigEndian.PutUint64(b[25:], uint64(microseconds(now)))
	b[33] = 0
	if ask {
		b[33] = 1
	}
	if err := r.conn.SetWriteDeadline(now.Add(server.Patience)); err != nil {
		return fmt.Errorf("confirm slot %q: %w", r.Slot.Name, err)
	}
	r.front.Send(&pgproto3.CopyData{Data: b})
	if err := r.front.Flush(); err != nil {
		return fmt.Errorf("confirm slot %q: %w", r.Slot.Name, err)
	}
	return nil
}

// microseconds is a time as the server writes it: since the year 2000.
func microseconds(t time.Time) int64 {
	return t.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).Microseconds()
}
