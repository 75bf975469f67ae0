// Package cli is the command line: one file a command.
//
// A command returns an error or nil and writes what it found to the standard
// output. [Run] alone turns an error into an exit code and into exactly one
// line on the standard error: what was being done, what went wrong, what to do.
package cli
