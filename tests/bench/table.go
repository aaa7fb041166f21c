package bench

import (
	"fmt"
	"strings"
)

// aim is what the ratio of a result to its peer's is to be. The zero value is none.
type aim struct {
	bound float64
	less  bool // less is better: the bound is the most that it may be
}

// atLeast is an aim of results of which more is better.
func atLeast(ratio float64) aim { return aim{bound: ratio} }

// atMost is an aim of results of which less is better.
func atMost(ratio float64) aim { return aim{bound: ratio, less: true} }

// verdict says what the ratio is to be, and whether it is.
func (a aim) verdict(ratio float64) string {
	switch {
	case a.bound == 0:
		return ""
	case a.less && ratio > a.bound:
		return fmt.Sprintf("at most %.2f: MISSED", a.bound)
	case !a.less && ratio < a.bound:
		return fmt.Sprintf("at least %.2f: MISSED", a.bound)
	case a.less:
		return fmt.Sprintf("at most %.2f: met", a.bound)
	}
	return fmt.Sprintf("at least %.2f: met", a.bound)
}

const rowFormat = "%-52s %14s %14s %8s  %s\n"

// row prints one result. A peer of 0 is none.
func (b *bench) row(what string, here, peer float64, unit string) {
	b.compare(what, here, peer, unit, aim{})
}

// compare prints one result beside its peer's, and what the ratio of the two is
// to be. A peer of 0 is none: then the aim cannot be judged, and the row says so.
func (b *bench) compare(what string, here, peer float64, unit string, goal aim) {
	theirs, ratio, verdict := "-", "-", ""
	switch {
	case peer != 0:
		theirs, ratio = number(peer)+" "+unit, fmt.Sprintf("%.2f", here/peer)
		verdict = goal.verdict(here / peer)
	case goal.bound != 0:
		verdict = "no peer"
	}
	line := fmt.Sprintf(rowFormat, what, number(here)+" "+unit, theirs, ratio, verdict)
	fmt.Fprintln(b.Out, strings.TrimRight(line, " \n"))
}
