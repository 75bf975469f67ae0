package plot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/tidemark-pg/tidemark/internal/bench/plot"
)

// texts parses a picture and returns the words of its elements by their name.
func texts(t *testing.T, svg []byte) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	var open []string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
			for _, a := range token.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
					t.Errorf("%s=%q", a.Name.Local, a.Value)
				}
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if words := strings.TrimSpace(string(token)); words != "" {
				found[open[len(open)-1]] = append(found[open[len(open)-1]], words)
			}
		}
	}
}

func TestPicturesSayWhatTheyShow(t *testing.T) {
	bars := []plot.Bar{{Name: "a < b", Value: 1500, Low: 1400, High: 1600}, {Name: "nothing"}}
	lines := []plot.Line{{Name: "a < b", Points: []plot.Point{{X: 1, Y: 2, Low: 1, High: 3}, {X: 1000, Y: 1500, Low: 1500, High: 1500}}}}
	for name, svg := range map[string][]byte{
		"bars":  plot.Bars("How & why", "ms", false, bars),
		"log":   plot.Bars("How & why", "ms", true, bars),
		"lines": plot.Lines("How & why", plot.Axes{X: "n", Y: "ms"}, lines),
		"log y": plot.Lines("How & why", plot.Axes{X: "n", Y: "ms", LogY: true}, lines),
		"one":   plot.Lines("How & why", plot.Axes{X: "n", Y: "ms"}, []plot.Line{{Name: "a < b", Points: []plot.Point{{X: 1}}}}),
	} {
		found := texts(t, svg)
		all := strings.Join(found["text"], "|")
		if found["title"][0] != "How & why" || !strings.Contains(found["desc"][0], "a < b") || !strings.Contains(all, "a < b") {
			t.Errorf("%s: %v", name, found)
		}
		if name != "one" && !strings.Contains(found["desc"][0], "1500") {
			t.Errorf("%s: description %s", name, found["desc"])
		}
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.2718: "0.272", 9.949: "9.95", 12.34: "12.3", 99.49: "99.5", 123.4: "123", 9994: "9994",
		9995: "10 k", 123_456: "123.5 k", 2_000_000: "2 M", 0.0000123: "1.2e-05", -12.34: "-12.3",
	} {
		if got := plot.Short(v); got != want {
			t.Errorf("Short(%v) = %q, want %q", v, got, want)
		}
	}
}
