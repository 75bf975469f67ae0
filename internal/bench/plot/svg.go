package plot

import (
	"fmt"
	"html"
	"strings"
)

// colours of series, readable on light and on dark.
//
//tidemark:readonly
var colours = []string{"#0b7285", "#e8590c", "#7048e8", "#2b8a3e", "#c2255c", "#868e96"}

// style follows the theme of whoever looks: GitHub shows an SVG as a picture,
// in which the query for the scheme works and a background need not be guessed.
const style = `<style>
text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-size:14px;font-weight:600}.soft{fill:#59636e}
.grid{stroke:#d1d9e0}.whisker{stroke:#1f2328}
@media(prefers-color-scheme:dark){text{fill:#f0f6fc}.soft{fill:#9198a1}.grid{stroke:#3d444d}.whisker{stroke:#f0f6fc}}
</style>
`

// canvas collects the elements of one picture.
type canvas struct {
	width, height float64
	body          strings.Builder
}

func (c *canvas) text(x, y float64, anchor, class, words string) {
	fmt.Fprintf(&c.body, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`+"\n",
		x, y, anchor, class, html.EscapeString(words))
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&c.body, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`+"\n", x1, y1, x2, y2, class)
}

// svg is the whole picture.
func (c *canvas) svg(title, description string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-labelledby="t d">`+"\n",
		c.width, c.height, c.width, c.height)
	fmt.Fprintf(&b, "<title id=\"t\">%s</title>\n<desc id=\"d\">%s</desc>\n", html.EscapeString(title), html.EscapeString(description))
	b.WriteString(style)
	b.WriteString(c.body.String())
	b.WriteString("</svg>\n")
	return []byte(b.String())
}
