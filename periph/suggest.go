package periph

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of what is looked at and told, so that each of many mistakes costs little.
const (
	maxKnown  = 1000 // words
	maxWord   = 100  // bytes of one
	maxListed = 30   // words
)

// Suggest is the part of a message that tells which known word was probably
// meant, or, of a handful, which there are. It begins with a colon unless it is empty.
func Suggest(word string, known []string) string {
	if len(known) > maxKnown {
		return fmt.Sprintf(": there are %d others", len(known))
	}
	known = slices.Sorted(slices.Values(known))
	switch best := Nearest(word, known); {
	case best != "":
		return fmt.Sprintf(": did you mean %q?", best)
	case len(known) == 0:
		return ""
	case len(known) > maxListed:
		return fmt.Sprintf(": there are %s and %d more", strings.Join(known[:maxListed], ", "), len(known)-maxListed)
	case len(known) == 1:
		return fmt.Sprintf(": there is only %s", known[0])
	default:
		return ": there are " + strings.Join(known, ", ")
	}
}

// Nearest is the known word that was probably meant, the first in order of the
// alphabet of several; "" if there is none. Very long words are like none.
func Nearest(word string, known []string) (best string) {
	distance := max(2, len(word)/3) + 1
	for _, k := range known {
		if len(word) > maxWord || len(k) > maxWord {
			continue
		}
		if n := edits(strings.ToLower(word), strings.ToLower(k)); n < distance || n == distance && k < best {
			best, distance = k, n
		}
	}
	return best
}

// edits is how many letters must be inserted, removed, replaced or swapped with
// their neighbour to make b of a (optimal string alignment).
func edits(a, b string) int {
	prev2, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], prev2[j-2]+1)
			}
		}
		prev2, prev, cur = prev, cur, prev2
	}
	return prev[len(b)]
}
