package main

import "fmt"

// witness remembers what a ledger says that it has committed, and holds it against what that
// finds later.
type witness struct{ committed uint64 }

// hear takes a line of the ledger's, and answers with what is to be said of it.
func (w *witness) hear(line string) (verdict string) {
	var n uint64
	if c, _ := fmt.Sscanf(line, "committed %d", &n); c == 1 {
		w.committed = n
		return ""
	}
	if c, _ := fmt.Sscanf(line, "found %d", &n); c != 1 {
		return "" // what the cut has left of a line
	}
	before := w.committed
	w.committed = n
	if n < before {
		return fmt.Sprintf("lost: entries %d to %d", n+1, before)
	}
	return fmt.Sprintf("all %d entries are there", before)
}
