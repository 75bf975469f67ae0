// Package webtest has what tests of the HTTP face need: a Source held in memory
// and a reader of server-sent events.
package webtest
