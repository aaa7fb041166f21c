package appliance

import (
	"slices"

	"backplane/boards"
	"backplane/periph"
)

// ownProperty is how one of a board's own properties is read and set: [boards.Board.Properties]
// says what it can be.
type ownProperty struct {
	get func(m *Machine) periph.Value
	set func(m *Machine, v periph.Value) error
}

func ownProperties() map[string]ownProperty {
	return map[string]ownProperty{
		boards.CPUs:   {func(m *Machine) periph.Value { return periph.Num(float64(m.onlineCPUs())) }, (*Machine).setCPUs},
		boards.Memory: {func(m *Machine) periph.Value { return periph.Str(m.memory().String()) }, (*Machine).setMemory},
	}
}

// getOwn reads a property of the board itself.
func (m *Machine) getOwn(spec *periph.Spec) string {
	return spec.Format(ownProperties()[spec.Name].get(m))
}

// setOwn asks the board to change one. An event tells when that is done.
func (m *Machine) setOwn(spec *periph.Spec, text string) error {
	v, err := spec.Parse(text)
	if err != nil {
		return err
	}
	return ownProperties()[spec.Name].set(m, v)
}

// ownChanged tells of a property's value.
func (m *Machine) ownChanged(name string) {
	specs := m.board.Properties()
	i := slices.IndexFunc(specs, func(s periph.Spec) bool { return s.Name == name })
	m.changed("", &specs[i], ownProperties()[name].get(m))
}
