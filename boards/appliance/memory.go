package appliance

import (
	"fmt"
	"strings"

	"backplane/boards"
	"backplane/guest"
	"backplane/guest/doctor"
)

// checkMemory decides what boards' memory is in, and refuses what this machine cannot hold
// even before boards do anything.
func (r *Running) checkMemory(a *boards.Appliance) error {
	total, known := doctor.Total()
	if !known {
		total = ^uint64(0)
	}
	var moved []string
	r.backing, moved = backings(a, total)
	var need doctor.Need
	dir := ""
	for i, b := range r.backing {
		size := uint64(a.Board[i].Board.Memory)
		need.Add(size, b)
		if b == guest.File && dir == "" {
			var err error
			if dir, err = guest.MemoryFolder(); err != nil {
				return err
			}
			if err := doctor.Mappable(dir); err != nil {
				return err
			}
		}
		if err := doctor.Holds(size, b); err != nil {
			return err
		}
	}
	excess, err := need.Check(dir)
	if err != nil {
		return err
	}
	if len(moved) > 0 {
		r.note(fmt.Sprintf("the memory of %s is in files in %s: with it, boards' memory is more than the %d MiB that this machine has (backing in a board's file)",
			strings.Join(moved, ", "), dir, total>>20))
	}
	if excess != "" {
		r.note("boards can come to use " + excess + ": one that finds none left ends")
	}
	return nil
}

// backings are what boards' memory is in: RAM, or files where all of it together is more
// than the host has, of boards whose files do not say. moved are the names of these.
func backings(a *boards.Appliance, host uint64) (list []guest.Backing, moved []string) {
	sum := uint64(0)
	for i := range a.Board {
		if b := a.Board[i].Board; b.Backing != guest.File {
			sum += uint64(b.Memory)
		}
	}
	for i := range a.Board {
		b := a.Board[i].Board.Backing
		if b == "" {
			b = guest.RAM
			if sum > host {
				b = guest.File
				moved = append(moved, a.Board[i].Name)
			}
		}
		list = append(list, b)
	}
	return list, moved
}
