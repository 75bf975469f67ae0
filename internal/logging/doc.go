// Package logging makes the program's log handler, and one that holds lines
// back until it is known whether anybody should see them.
package logging
