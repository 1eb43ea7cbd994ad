package api

import (
	"slices"
	"strings"
)

// suggest says which of the known names may have been meant, or which there are.
func suggest(name string, known []string) string {
	best, distance := "", 3 // further apart they have nothing to do with one another
	for _, k := range known {
		if d := apart(strings.ToLower(name), strings.ToLower(k), distance); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return ` (did you mean "` + best + `"?)`
	}
	if len(known) == 0 {
		return ""
	}
	known = slices.Clone(known)
	slices.Sort(known)
	const most = 20
	if len(known) > most {
		return ""
	}
	return "; known are: " + strings.Join(known, ", ")
}

// apart is how many letters must be changed, added, left out or swapped with their neighbour to come from a to b;
// limit if it is that many or more.
func apart(a, b string, limit int) int {
	if len(a) > 64 || len(b) > 64 || max(len(a), len(b))-min(len(a), len(b)) >= limit {
		return limit
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return min(rows[len(a)][len(b)], limit)
}
