// Package rows holds the comparisons, one a file.
package rows
