package setup

import (
	"fmt"
	"io"
)

// lockTimeout begins every transaction: rather fail than queue behind a long
// transaction, with writers queueing behind us.
const lockTimeout = "SET LOCAL lock_timeout = '10s'"

// groups parts statements into those that run alone and runs of those that
// share a transaction.
func groups(statements []Statement) (all [][]Statement) {
	for i, s := range statements {
		if i > 0 && !s.Alone && !statements[i-1].Alone {
			all[len(all)-1] = append(all[len(all)-1], s)
			continue
		}
		all = append(all, []Statement{s})
	}
	return all
}

// Print writes statements as plain SQL that does what [Apply] does, for psql
// or any other program. Run it with ON_ERROR_STOP.
func Print(w io.Writer, statements []Statement) error {
	if len(statements) == 0 {
		_, err := io.WriteString(w, "-- Nothing to do.\n")
		return err
	}
	for _, group := range groups(statements) {
		if err := printGroup(w, group); err != nil {
			return err
		}
	}
	return nil
}

func printGroup(w io.Writer, group []Statement) error {
	together := !group[0].Alone
	if together {
		if _, err := fmt.Fprintf(w, "BEGIN;\n%s;\n", lockTimeout); err != nil {
			return err
		}
	}
	for _, s := range group {
		if _, err := fmt.Fprintf(w, "-- %s\n%s;\n", comment(s.Doing), s.SQL); err != nil {
			return err
		}
	}
	if together {
		_, err := io.WriteString(w, "COMMIT;\n")
		return err
	}
	return nil
}
