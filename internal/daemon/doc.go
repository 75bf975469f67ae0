// Package daemon is `tidemark run`: a follower, the web server that shows it,
// and its metrics, wired together.
//
// It keeps trying while the server cannot be reached, and is not ready
// meanwhile. What will be the same the next time ends it with one error, and
// then nothing has been logged: the error says it all.
package daemon
