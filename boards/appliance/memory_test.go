package appliance

import (
	"slices"
	"testing"
	"time"

	"backplane/boards"
	"backplane/guest"
)

// TestBackings: memory is in RAM as long as all of it together fits, unless a board's file says otherwise.
func TestBackings(t *testing.T) {
	const gib = 1 << 30
	tests := []struct {
		name   string
		boards []boards.Board
		want   []guest.Backing
		moved  []string
	}{
		{"all fit", []boards.Board{{Memory: 4 * gib}, {Memory: 4 * gib}}, []guest.Backing{guest.RAM, guest.RAM}, nil},
		{"together too much", []boards.Board{{Memory: 5 * gib}, {Memory: 4 * gib}}, []guest.Backing{guest.File, guest.File}, []string{"a", "b"}},
		{"in a file by itself", []boards.Board{{Memory: 64 * gib, Backing: guest.File}, {Memory: 4 * gib}}, []guest.Backing{guest.File, guest.RAM}, nil},
		{"in RAM whatever", []boards.Board{{Memory: 64 * gib, Backing: guest.RAM}, {Memory: 4 * gib}}, []guest.Backing{guest.RAM, guest.File}, []string{"b"}},
	}
	for _, tt := range tests {
		a := &boards.Appliance{}
		for i := range tt.boards {
			a.Board = append(a.Board, boards.Member{Name: string(rune('a' + i)), Board: &tt.boards[i]})
		}
		got, moved := backings(a.Members(), nil, 8*gib)
		if !slices.Equal(got, tt.want) || !slices.Equal(moved, tt.moved) {
			t.Errorf("%s: %v, and %v are moved; want %v and %v", tt.name, got, moved, tt.want, tt.moved)
		}
	}
}

// TestSlowness: the largest board says how much longer than a minute all may be silent.
func TestSlowness(t *testing.T) {
	a := &boards.Appliance{Board: []boards.Member{{Board: &boards.Board{Memory: 64 << 20}}, {Board: &boards.Board{Memory: 1 << 40}}}}
	if got := slowness(largest(a.Members())); got != 1024*time.Second {
		t.Errorf("%s longer", got)
	}
	if got := slowness(64 << 20); got != 0 {
		t.Errorf("a small board may take %s longer", got)
	}
}
