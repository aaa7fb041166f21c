package appliance

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"backplane/boards"
	"backplane/guest"
	"backplane/guest/doctor"
	"backplane/periph"
)

// checkMemory decides what the memory of boards is in that come to those that there are, and refuses what this
// machine cannot hold even before they do anything.
func (r *Running) checkMemory(list []*boards.Member) error {
	total, known := doctor.Total()
	if !known {
		total = ^uint64(0)
	}
	var moved []string
	there := len(r.backing)
	r.backing, moved = backings(list, r.backing, total)
	var need doctor.Need
	dir := ""
	for i, b := range r.backing[there:] {
		size := uint64(list[there+i].Board.Memory)
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
// than the host has, of boards whose files do not say. there is what those have that came first. moved are the names
// of the others that are in files for that.
func backings(list []*boards.Member, there []guest.Backing, host uint64) (all []guest.Backing, moved []string) {
	all = slices.Clone(there)
	for _, m := range list[len(there):] {
		all = append(all, m.Board.Backing)
	}
	sum := uint64(0)
	for i, m := range list {
		if all[i] != guest.File {
			sum += uint64(m.Board.Memory)
		}
	}
	for i, m := range list {
		switch {
		case all[i] != "":
		case sum > host:
			all[i] = guest.File
			moved = append(moved, m.Name)
		default:
			all[i] = guest.RAM
		}
	}
	return all, moved
}

// slowness is how much longer than others a board may take to come up: before anything else its kernel writes to a
// page array, of 16 MiB for each GiB of memory, which a slow disk may have to make room for.
func slowness(size boards.Size) time.Duration { return time.Duration(size>>30) * time.Second }

func largest(list []*boards.Member) (size boards.Size) {
	for _, m := range list {
		size = max(size, m.Board.Memory)
	}
	return size
}

// memory is how much memory the board has: none while it is off.
func (m *Machine) memory() boards.Size {
	if m.proc == nil {
		return 0
	}
	has := m.board.Memory
	if m.balloon != nil {
		has -= boards.Size(m.balloon.Reclaimed())
	}
	return max(0, has)
}

// setMemory has the guest do without what is over. An event tells when it does, or that it cannot.
func (m *Machine) setMemory(v periph.Value) error {
	var size boards.Size
	if err := size.UnmarshalText([]byte(v.Text())); err != nil {
		return err
	}
	switch {
	case m.proc == nil:
		return errors.New("the board is off")
	case m.balloon == nil:
		return errors.New("the catalog lacks a balloon: a board's memory cannot be changed")
	}
	if err := m.balloon.Reclaim(int64(m.board.Memory - size)); err != nil {
		if !m.agent.Ready() {
			return errors.New("the board boots: its balloon has no driver yet")
		}
		return err
	}
	m.wanted = size
	return nil
}

// memoryIs is told that the board has as much memory as it was to have, or as little as it can.
func (m *Machine) memoryIs(enough bool) {
	has := m.memory()
	if !enough {
		m.tellState(StateIncomplete, fmt.Sprintf("%s of memory: it could do without no more, and has %s", m.wanted, has))
		m.wanted = has
	}
	if has != m.told {
		m.told = has
		m.ownChanged(boards.Memory)
	}
}
