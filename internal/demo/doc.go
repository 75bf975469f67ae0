// Package demo is the command "tidemark demo": on a private, throw-away server
// writers commit out of order, roll back, stall and prepare, while a worker
// reads by the position and a naive reader by the last id it saw. In the end
// both are compared with what is in the tables.
package demo
