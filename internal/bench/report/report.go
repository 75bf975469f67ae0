package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tidemark-pg/tidemark/internal/bench/contest"
)

// Report is one run of the program.
type Report struct {
	// Machine it ran on, and Scale of the work, 1 being all of it.
	Machine Machine
	Scale   float64
	// Outcomes in the order of the table.
	Outcomes []contest.Outcome
}

// Write writes results.md, results.json and a picture for each chart, named
// bench-KEY.svg, into the directories.
func (r Report) Write(dir, images string) error {
	text, err := json.MarshalIndent(r.document(), "", "  ")
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	err = errors.Join(
		write(filepath.Join(dir, "results.json"), append(text, '\n')),
		write(filepath.Join(dir, "results.md"), []byte(r.markdown())))
	for _, o := range r.Outcomes {
		if picture := picture(o); picture != nil {
			err = errors.Join(err, write(filepath.Join(images, "bench-"+o.Comparison.Key+".svg"), picture))
		}
	}
	return err
}

func write(name string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("make directory: %w", err)
	}
	return os.WriteFile(name, text, 0o644)
}
