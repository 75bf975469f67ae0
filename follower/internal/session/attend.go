package session

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pglogrepl"

	"github.com/tidemark-pg/tidemark/follower/internal/server"
)

// attendEvery is how often it is asked, while a statement takes long, whether
// the server can still be heard.
const attendEvery = time.Second

// attended does something over the SQL session that may take hours. Whether the
// server has merely not finished the one connection cannot tell, so the other is
// asked: where that says nothing, both are lost, as behind a firewall that has
// forgotten them, and the session ends with that.
func (s *session) attended(ctx context.Context, do func() error) error {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.attend(ctx, done)
	}()
	err := do()
	close(done)
	<-ended
	if lost := context.Cause(ctx); err != nil && lost != nil {
		return lost
	}
	return err
}

// attend asks until done.
func (s *session) attend(ctx context.Context, done <-chan struct{}) {
	look := time.NewTicker(attendEvery)
	defer look.Stop()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if err := s.hears(ctx); err != nil {
			s.lose(err)
			return
		}
	}
}

// hears asks for an answer on the replication connection.
func (s *session) hears(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, server.Patience)
	defer cancel()
	if _, err := pglogrepl.IdentifySystem(asking, s.repl); err != nil {
		return fmt.Errorf("ask whether the server is there: %w", err)
	}
	return nil
}
