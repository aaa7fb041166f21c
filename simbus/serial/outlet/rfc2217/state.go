package rfc2217

import "backplane/simbus/serial"

// Bits of NOTIFY-LINESTATE, as a 16550's line status register has them: those between are
// [serial.Flags].
const (
	stateOverrun      = 1 << 1
	stateHoldingEmpty = 1 << 5
	stateShiftEmpty   = 1 << 6
)

// Bits of NOTIFY-MODEMSTATE, as its modem status register has them.
const (
	modemCTSChanged = 1 << iota
	modemDSRChanged
	modemRIEnded
	modemDCDChanged
	modemCTS
	modemDSR
	modemRI
	modemDCD
)

// The two states, as masks are kept of them.
const (
	lineState = iota
	modemState
)

func (s *Session) mask(which int, v byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.masks[which] = v
}

// lineNow is the state of the line: what can be told of it at any time.
func (s *Session) lineNow() byte {
	if s.credit.Waiting() == 0 {
		return stateHoldingEmpty | stateShiftEmpty
	}
	return 0
}

// tellLine tells the client of a state of the line, if it wants any of it.
func (s *Session) tellLine(state byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agreed && state&s.masks[lineState] != 0 {
		s.reply(comLineState, state&s.masks[lineState])
	}
}

// Lines is told how the inputs are.
func (s *Session) Lines(in serial.Lines) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var now byte
	for _, l := range []struct {
		line serial.Lines
		bit  byte
	}{{serial.CTS, modemCTS}, {serial.DSR, modemDSR}, {serial.RI, modemRI}, {serial.DCD, modemDCD}} {
		now |= either(in&l.line != 0, l.bit, 0)
	}
	// A change of RI is told of when it ends.
	deltas := (now ^ s.modem) >> 4
	if now&modemRI != 0 {
		deltas &^= modemRIEnded
	}
	changed := deltas | now ^ s.modem
	s.modem = now
	if mask := s.masks[modemState]; s.agreed && changed&mask != 0 {
		s.reply(comModemState, (now|deltas)&mask)
	}
}
