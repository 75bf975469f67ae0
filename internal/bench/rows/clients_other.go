//go:build !linux

package rows

import (
	"context"
	"errors"
)

// listen needs epoll.
func (l *listening) listen(context.Context) error {
	return errors.New("ten thousand readers in one process: only on Linux")
}
