package appliance

import (
	"fmt"

	"backplane/boards"
	"backplane/guest/agent"
	"backplane/periph"
)

// startCPUs is how many CPUs a board starts with, unless its kernel says otherwise.
func (m *Machine) startCPUs() int {
	if m.r.opts.Virtual {
		return 1
	}
	return m.board.CPUs
}

// onlineCPUs is how many CPUs of a board are online: none while it is off.
func (m *Machine) onlineCPUs() int {
	if m.proc == nil {
		return 0
	}
	return m.online
}

// setCPUs has the agent take CPUs offline or online. An event tells when that is done, and
// one of the board's state if it could not be.
func (m *Machine) setCPUs(v periph.Value) error {
	if m.r.opts.Virtual && v.Int() > 1 {
		return fmt.Errorf("%d: a board has 1 CPU in virtual time", v.Int())
	}
	_, err := m.agent.SetCPUs(v.Int(), agent.Output{Done: func(_ agent.Status, err error) {
		if err != nil && m.proc != nil {
			m.tellState(StateIncomplete, fmt.Sprintf("%d of its CPUs online: %v", v.Int(), err))
		}
	}})
	return err
}

// cpusAre is told how many CPUs are online. A guest may say anything.
func (m *Machine) cpusAre(online int) {
	if online < 1 || online > m.board.CPUs || online == m.online {
		return
	}
	m.online = online
	m.ownChanged(boards.CPUs)
}
