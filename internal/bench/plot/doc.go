// Package plot draws small charts as SVG: bars with their spread, and lines.
// They follow the reader's light or dark theme, their text is text, and each
// has a title and a description for those who do not see it.
package plot
