package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/simbus"
)

// addBoards makes the boards that the description has got; drawn has them as their files do. Nothing of them is left
// if there is an error. They have no power yet.
func (r *Running) addBoards(drawn []*boards.Member) (came []*Machine, err error) {
	if len(drawn) == 0 {
		return nil, nil
	}
	there := r.machines()
	fail := func(err error) ([]*Machine, error) {
		return nil, errors.Join(err, r.dropBoards(r.machines()[len(there):]))
	}
	kernels, err := r.prepare(context.Background(), r.appliance)
	if err != nil {
		return fail(err)
	}
	domains, err := r.addDomains(drawn)
	if err != nil {
		return fail(err)
	}
	if err := r.addMachines(context.Background(), r.appliance.Members()[len(there):], drawn, domains, kernels); err != nil {
		return fail(err)
	}
	if all := r.appliance.Members(); r.opts.Virtual && r.opts.StallLimit == 0 { // else nobody has it, or it was given
		r.cal.StallLimit += slowness(largest(all)) - slowness(largest(all[:len(there)]))
	}
	came = r.machines()[len(there):]
	if err := solder(came); err != nil {
		return fail(err)
	}
	r.checkRoom(came)
	return came, nil
}

// dropBoards ends boards that have just been made, as if they had never come.
func (r *Running) dropBoards(came []*Machine) (err error) {
	for _, m := range came {
		m.domain.Do(func() { err = errors.Join(err, m.close()) })
		err = errors.Join(err, os.RemoveAll(m.dir))
	}
	all := r.machines()
	there := all[:len(all)-len(came)]
	r.all.Store(&there)
	r.backing = r.backing[:len(there)]
	return err
}

// begin tells of a board that came, and switches it on. What it is made of stands in the event, as that of
// others does in the record's list: a replay with something else differs here.
func (m *Machine) begin() error {
	for _, note := range m.r.appliance.CardNotes(m.index) {
		m.r.note(note)
	}
	if !m.away {
		m.r.choose(m.member.Slot, m)
	}
	var made []simbus.Attr
	for _, part := range []struct{ key, path string }{
		{"file", m.board.SourceFile()}, {"kernel", m.kernel.Path}, {"root", filepath.Join(m.dir, initrdFile)},
	} {
		hash, err := record.HashFile(part.path)
		if err != nil {
			return err
		}
		made = append(made, simbus.Text(part.key, hash))
	}
	m.tellPlug(made...)
	if note := m.board.Note(m.r.opts.Virtual); note != "" {
		m.r.note(fmt.Sprintf("board %s: %s", m.name, note))
	}
	if m.member.Off || m.away {
		return nil
	}
	return m.powerOn()
}
