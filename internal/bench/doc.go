// Command bench runs Tidemark side by side with what people use in its place,
// on one machine, against a real server, and writes a table and pictures:
//
//	go run . -only 2,5 -scale 0.1 -out DIR
//
// `make bench` runs all of it. The comparisons are in package rows, one a file;
// the peers, each written as its users write it, in package peer. It is a
// module of its own, so that no peer's library becomes a dependency of Tidemark.
package main
