package boards

import "fmt"

// Notes says, for people, what an appliance will not have as its files say, on
// either clock, and what of its links they may not have meant; each of a board's
// stands in an event of its start as well.
func (a *Appliance) Notes(virtual bool) (notes []string) {
	for i := range a.Board {
		if note := a.Board[i].Board.Note(virtual); note != "" {
			notes = append(notes, fmt.Sprintf("board %s: %s", a.Board[i].Name, note))
		}
	}
	for _, l := range a.Joined() {
		if note := l.Note(); note != "" {
			notes = append(notes, note)
		}
	}
	for i := range a.Board {
		notes = append(notes, a.CardNotes(i)...)
	}
	return notes
}

func (b *Board) Note(virtual bool) string {
	if !virtual || b.CPUs <= 1 {
		return ""
	}
	return fmt.Sprintf("1 of its %d CPUs in virtual time, which drives one", b.CPUs)
}
