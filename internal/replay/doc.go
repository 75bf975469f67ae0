// Package replay holds the writers' half against the recorded behaviour of the
// reference generator, the one of Matrix Synapse: it has no code of its own,
// only tests, on a real server.
//
// testdata/scenarios.json are the reference's own test cases, and
// testdata/traces 100 random histories: each line is an operation, its result,
// and what every generator then said. Three things say what ought to be:
//
//   - model is the reference, written down slowly and plainly. It must say, line
//     by line, what the reference said.
//   - The same model with the named changes of the table in differences_test.go,
//     each a difference that is wanted. It must say what package allocator says.
//     So each place where ours is not the reference's has a name, and a name that
//     explains nothing any more fails the test.
//   - openIDs knows from the operations alone which ids are open. Nothing may
//     show one as done; over the states of the reference it finds exactly the
//     lines of testdata/unsafe_lines.json.
package replay
