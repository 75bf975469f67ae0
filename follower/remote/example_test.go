package remote_test

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/tidemark-pg/tidemark/follower"
	"github.com/tidemark-pg/tidemark/follower/remote"
	"github.com/tidemark-pg/tidemark/internal/web"
	"github.com/tidemark-pg/tidemark/internal/web/webtest"
)

// A worker that asks a daemon: it waits for something new and learns how far it
// may read. The rest is as with an embedded follower.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	url, stop := startDaemon(ctx)
	defer stop()

	f, err := remote.New(remote.Config{URLs: []string{url}, Streams: []string{"events"}})
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()

	events, _ := f.Stream("events")
	last := int64(40) // what this worker has read before
	if err := events.Wait(ctx, last+1); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("read WHERE id > %d AND id <= %d\n", last, events.CurrentToken())

	// With an epoch a wait does not outlive the history that last belongs to.
	err = events.WaitFor(ctx, follower.Target{Position: 100, Epoch: "an earlier one"})
	fmt.Println(err)

	cancel()
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
	// Output:
	// read WHERE id > 40 AND id <= 42
	// stream "events": epoch "an earlier one" is not current, "e1" is
}

// startDaemon stands for yours.
func startDaemon(ctx context.Context) (url string, stop func()) {
	source := webtest.NewSource("events")
	source[0].Move(42)
	server, err := web.New(web.Config{Source: source})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- server.Serve(ctx, ln) }()
	return "http://" + ln.Addr().String(), func() {
		cancel()
		if err := <-ended; err != nil {
			log.Print(err)
		}
	}
}
