package decoder_test

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark-pg/tidemark/decoder"
)

// TestScenarios runs testdata/*.txt. The commands are
//
//	session      a new Decoder, or with `relations=N` one that keeps so many
//	reset        Reset
//	message      the input's lines are one message
//	messages     each line of the input is a message
//
// Input is hex and "quoted text"; blanks do not matter, # begins a comment.
// Regenerate the outputs with `go test ./decoder -rewrite`, and read the diff.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		d := newDecoder(t, decoder.Config{})
		datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
			switch td.Cmd {
			case "session":
				var cfg decoder.Config
				td.MaybeScanArgs(t, "relations", &cfg.Relations)
				d = newDecoder(t, cfg)
				return ""
			case "reset":
				d.Reset()
				return ""
			case "message":
				return decodeLines(t, d, strings.Join(uncommented(td.Input), " "))
			case "messages":
				return decodeLines(t, d, uncommented(td.Input)...)
			default:
				t.Fatalf("%s: unknown command %s", td.Pos, td.Cmd)
				return ""
			}
		})
	})
}

func decodeLines(t *testing.T, d *decoder.Decoder, lines ...string) string {
	t.Helper()
	var b strings.Builder
	for _, line := range lines {
		msg, err := parseBytes(line)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		e, err := d.Decode(msg)
		if err != nil {
			fmt.Fprintf(&b, "error: %v\n", err)
			continue
		}
		fmt.Fprintln(&b, describe(e))
	}
	return b.String()
}

func uncommented(input string) []string {
	var lines []string
	for line := range strings.Lines(input) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// parseBytes reads hex with "text" in between.
func parseBytes(line string) ([]byte, error) {
	var msg []byte
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			msg = append(msg, part...)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			return nil, err
		}
		msg = append(msg, b...)
	}
	return msg, nil
}
