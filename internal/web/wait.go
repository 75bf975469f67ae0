package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tidemark-pg/tidemark/follower"
)

const (
	defaultWait = 30 * time.Second
	maxWait     = 5 * time.Minute

	stoppingDetail = "the server is stopping"
)

var errStopping = errors.New(stoppingDetail)

// waitAnswer is the Stream as it is when the wait ends.
type waitAnswer struct {
	*streamAnswer
	Reached bool `json:"reached"`
}

func (s *Server) wait(w http.ResponseWriter, r *http.Request, st Stream) {
	target, timeout, err := waitParameters(r.URL.RawQuery)
	if err != nil {
		badParameter(w, r, err.Error())
		return
	}
	err = s.waitFor(r.Context(), st, target, timeout)
	if r.Context().Err() != nil {
		return // the client has gone
	}
	s.extendDeadline(w)
	s.answerWait(w, r, st, target, err)
}

// waitFor waits until the target is reached, the time is over, the client has
// gone or the server stops.
func (s *Server) waitFor(ctx context.Context, st Stream, target follower.Target, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	unhook := context.AfterFunc(s.stopping, func() { stop(errStopping) })
	defer unhook()
	err := st.WaitFor(ctx, target)
	if err != nil && errors.Is(context.Cause(ctx), errStopping) {
		return errStopping
	}
	return err
}

func (s *Server) answerWait(w http.ResponseWriter, r *http.Request, st Stream, target follower.Target, err error) {
	status := st.Status()
	answer := newStreamAnswer(status)
	var epochError *follower.EpochError
	switch {
	case errors.As(err, &epochError):
		epochConflict(w, r, answer, epochError.Error())
	case err == nil && target.Epoch != "" && status.Known && status.Epoch != target.Epoch:
		// Reached, and a new epoch began before the answer: what is shown must
		// not claim that the new history has reached it (RULES 11).
		epochConflict(w, r, answer, (&follower.EpochError{Stream: status.Name, Want: target.Epoch, Have: status.Epoch}).Error())
	case err == nil:
		writeOK(w, r, waitAnswer{streamAnswer: answer, Reached: true})
	case errors.Is(err, context.DeadlineExceeded):
		writeOK(w, r, waitAnswer{streamAnswer: answer, Reached: false})
	default:
		cutShort(w, r, answer, err)
	}
}

func epochConflict(w http.ResponseWriter, r *http.Request, now *streamAnswer, detail string) {
	writeProblem(w, r, problem{Status: http.StatusConflict, Detail: detail, Stream: now})
}

func cutShort(w http.ResponseWriter, r *http.Request, now *streamAnswer, err error) {
	w.Header().Set("Retry-After", "1")
	reached := false
	writeProblem(w, r, problem{
		Status: http.StatusServiceUnavailable, Detail: err.Error(), Stream: now, Reached: &reached,
	})
}

func waitParameters(rawQuery string) (target follower.Target, timeout time.Duration, err error) {
	q, err := singleValues(rawQuery)
	if err != nil {
		return target, 0, err
	}
	if !q.Has("position") {
		return target, 0, errors.New("position is missing: write ?position=N")
	}
	target.Position, err = strconv.ParseInt(q.Get("position"), 10, 64)
	if err != nil {
		return target, 0, fmt.Errorf("position=%q is not a 64-bit integer", q.Get("position"))
	}
	target.Writer, target.ByWriter = q.Get("writer"), q.Has("writer")
	target.Epoch = q.Get("epoch")
	if q.Has("epoch") && target.Epoch == "" {
		// Not "any": a caller that lost its epoch must not wait in another one.
		return target, 0, errors.New("epoch is empty: leave it out to wait in any epoch")
	}
	timeout, err = waitTimeout(q)
	return target, timeout, err
}

func waitTimeout(q url.Values) (time.Duration, error) {
	if !q.Has("timeout") {
		return defaultWait, nil
	}
	d, err := time.ParseDuration(q.Get("timeout"))
	switch {
	case err != nil:
		return 0, fmt.Errorf("timeout=%q is not a duration such as 30s", q.Get("timeout"))
	case d < 0:
		return 0, fmt.Errorf("timeout=%s is negative", d)
	case d > maxWait:
		return 0, fmt.Errorf("timeout=%s is longer than %s", d, maxWait)
	}
	return d, nil
}

// singleValues refuses a parameter given twice: which one counts would be a guess.
func singleValues(rawQuery string) (url.Values, error) {
	q, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, fmt.Errorf("reading the query: %w", err)
	}
	for name, values := range q {
		if len(values) > 1 {
			return nil, fmt.Errorf("%s is given %d times", name, len(values))
		}
	}
	return q, nil
}
