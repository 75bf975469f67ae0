package report

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// What stands around the table in a README.
const (
	beginTable = "<!-- bench: written by `make bench` -->\n"
	endTable   = "<!-- bench: end -->\n"
)

// ErrNoPlace is returned for a file without the two comments between which the
// table belongs.
var ErrNoPlace = errors.New("the file has no place for the table")

// UpdateReadme puts the table in the place of the one in a file, between two
// comments.
func (r Report) UpdateReadme(name string) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), beginTable)
	if !ok {
		return fmt.Errorf("update %s: %w", name, ErrNoPlace)
	}
	_, after, ok := strings.Cut(rest, endTable)
	if !ok {
		return fmt.Errorf("update %s: %w", name, ErrNoPlace)
	}
	return write(name, []byte(before+beginTable+r.table()+endTable+after))
}
