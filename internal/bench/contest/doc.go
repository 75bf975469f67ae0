// Package contest runs comparisons: several contenders do the same work by
// turns, A B C, B C A, …, so that whatever else the machine does meanwhile
// meets all of them, and a ratio is taken within one round and never across
// rounds. What is told of a contender is the median of its rounds and the
// spread around it.
package contest
