// Package client asks a running daemon over HTTP, for the commands that do.
//
// It keeps nothing between requests. Errors are for a person: they name the
// address and say what to do.
package client
