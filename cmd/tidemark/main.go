// Tidemark tells the readers of append-only PostgreSQL tables up to which id
// every row is committed and visible. `tidemark --help` lists its commands.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/tidemark-pg/tidemark/internal/cli"
)

func main() {
	ctx := untilSignalled(syscall.SIGINT, syscall.SIGTERM)
	os.Exit(cli.Run(ctx, os.Args[1:], cli.System{Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}))
}

// untilSignalled returns a context that the first of the signals ends: an
// orderly stop. Before it ends the signals do again what they do by default, so
// that no second one is lost: it ends the process at once. (After a
// signal.NotifyContext there is a moment in which it would be swallowed.)
func untilSignalled(signals ...os.Signal) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, signals...)
	go func() {
		<-arrived
		signal.Stop(arrived)
		cancel()
	}()
	return ctx
}
