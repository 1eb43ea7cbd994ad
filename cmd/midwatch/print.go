package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// print writes v as JSON or YAML, or calls table for people.
func (o *output) print(form string, v any, table func(io.Writer)) int {
	switch form {
	case "json":
		enc := json.NewEncoder(o.stdout)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(v); err != nil {
			return o.fail(exitFailed, err)
		}
	case "yaml":
		// Through JSON, so that both have the same names.
		text, err := json.Marshal(v)
		if err != nil {
			return o.fail(exitFailed, err)
		}
		var plain any
		if err := yaml.Unmarshal(text, &plain); err != nil {
			return o.fail(exitFailed, err)
		}
		if err := yaml.NewEncoder(o.stdout).Encode(plain); err != nil {
			return o.fail(exitFailed, err)
		}
	default:
		table(o.stdout)
	}
	return exitOK
}

// columns prints rows in columns two spaces apart. The last column is not padded.
func columns(w io.Writer, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}
