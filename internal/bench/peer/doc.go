// Package peer holds what people use in place of Tidemark, each written as its
// own documentation or its users write it: pg_recvlogical, the loop of
// pglogrepl's example, a NOTIFY with each commit, Watermill's SQL subscriber
// that polls below xmin, and polling that gives a gap three seconds.
package peer
