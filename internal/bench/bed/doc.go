// Package bed is what every comparison lies on: one private PostgreSQL server,
// a database for each comparison, and followers that run until they are stopped.
package bed
