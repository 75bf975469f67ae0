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
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// The first signal asks for an orderly stop. After it signals do again what
	// they do by default, so that a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, os.Args[1:], cli.System{Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv}))
}
