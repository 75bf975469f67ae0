// Package pgcluster runs private, throw-away PostgreSQL servers: the demo and
// every integration test use one.
//
// A [Cluster] is a data directory made by initdb in a private temporary
// directory, with one server on it that listens on a free port of 127.0.0.1
// and nowhere else. Started by root it runs as the unprivileged user nobody,
// because PostgreSQL refuses root.
//
// # Life
//
// [Start] returns once the server accepts connections. [Cluster.Stop],
// [Cluster.Kill] and [Cluster.StartAgain] keep the data, so that crashes and
// restarts can be played; [Cluster.Close] takes everything away. A cluster never outlives
// the process that started it, however that process ends: a small watchdog
// waits for the end of a pipe that only this process holds, and the kernel
// closes it even after kill -9. (A parent-death signal would not do: it
// follows the thread that started the child, and Go ends threads.)
//
// # Which PostgreSQL
//
// [Find] looks for complete server installations. Several major versions can
// run side by side.
package pgcluster
