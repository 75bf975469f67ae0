// Package daemon is `tidemark run`: a follower, a watcher of the server's slots,
// the web server that shows both, and their metrics, wired together.
//
// It keeps trying while the server cannot be reached, and is not ready
// meanwhile. What will be the same the next time ends it with one error, and
// then nothing has been logged: the error says it all.
package daemon
