package rfc2217

import (
	"encoding/binary"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
)

// Commands of the client (RFC 2217 section 3). The server's have 100 more.
const (
	comSignature = iota
	comRate
	comData
	comParity
	comStop
	comControl
	comLineState
	comModemState
	comSuspend
	comResume
	comLineMask
	comModemMask
	comPurge

	comServer = 100
)

// Values of SET-CONTROL.
const (
	controlFlow = iota // asks
	controlNone
	controlSoftware
	controlHardware
	controlBreak // asks
	controlBreakOn
	controlBreakOff
	controlDTR // asks
	controlDTROn
	controlDTROff
	controlRTS // asks
	controlRTSOn
	controlRTSOff
	controlInbound // asks
	inboundNone
	inboundSoftware
	inboundHardware
)

var parities = []serial.Parity{0: 0xff, 1: serial.None, 2: serial.Odd, 3: serial.Even, 4: serial.Mark, 5: serial.Space}

var stops = []serial.Stop{1: serial.Stop1, 2: serial.Stop2, 3: serial.Stop1Half}

// signature is what the server says that it is.
const signature = "Backplane"

// reply sends the server's command of that number.
func (s *Session) reply(command byte, value ...byte) {
	b := escaped([]byte{cmdIAC, cmdSB, optComPort, comServer + command}, value)
	s.out.answer(append(b, cmdIAC, cmdSE))
}

// agree is called when client and server may use COM-PORT-OPTION.
func (s *Session) agree() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.agreed = true
	s.reply(comModemState, s.modem)
}

// parameter takes a subnegotiation. A value that the line cannot have changes nothing; the
// answer says what is set.
func (s *Session) parameter(option byte, p []byte) {
	if option != optComPort || len(p) == 0 || s.opts.comPort != nil {
		return
	}
	command, value := p[0], p[1:]
	if command == comRate {
		if len(value) == 4 {
			s.setRate(binary.BigEndian.Uint32(value))
		}
		return
	}
	if s.passive(command, value) || len(value) != 1 {
		return
	}
	v := value[0]
	switch command {
	case comData, comParity, comStop:
		s.setFrame(command, v)
	case comControl:
		s.reply(comControl, s.control(v))
	case comLineMask:
		s.mask(lineState, v)
		s.reply(comLineMask, v)
	case comModemMask:
		s.mask(modemState, v)
		s.reply(comModemMask, v)
	case comPurge:
		s.purge(v)
		s.reply(comPurge, v)
	}
}

// passive does what does nothing to the line.
func (s *Session) passive(command byte, value []byte) bool {
	switch command {
	case comSignature:
		if len(value) == 0 {
			s.reply(comSignature, []byte(signature)...)
		}
	case comLineState: // which RFC 2217 does not have a client ask for, but some do
		s.reply(comLineState, s.lineNow())
	case comModemState:
		s.mu.Lock()
		s.reply(comModemState, s.modem)
		s.mu.Unlock()
	case comSuspend, comResume:
		s.out.hold(command == comSuspend)
		s.look()
	default:
		return false
	}
	return true
}

func (s *Session) setRate(rate uint32) {
	if rate > 0 && rate <= serial.MaxBaud {
		s.change(func(set *outlet.Settings) { set.Rate = serial.Baud(int(rate)) })
	}
	s.reply(comRate, binary.BigEndian.AppendUint32(nil, uint32(s.set.Rate.Baud()))...)
}

func (s *Session) setFrame(command, v byte) {
	s.change(func(set *outlet.Settings) {
		switch {
		case command == comData && v >= 5 && v <= 8:
			set.Data = int(v)
		case command == comParity && v > 0 && int(v) < len(parities):
			set.Parity = parities[v]
		case command == comStop && v > 0 && int(v) < len(stops):
			set.Stop = stops[v]
		}
	})
	switch command {
	case comData:
		s.reply(command, byte(s.set.Data))
	case comParity:
		s.reply(command, indexOf(parities, s.set.Parity))
	default:
		s.reply(command, indexOf(stops, s.set.Stop))
	}
}

func indexOf[T comparable](list []T, v T) byte {
	for i := range list {
		if list[i] == v {
			return byte(i)
		}
	}
	return 0
}

// change changes what the line is set to.
func (s *Session) change(f func(*outlet.Settings)) {
	set := s.set
	f(&set)
	if set != s.set {
		s.set = set
		s.left = !s.do(outlet.Act{Do: outlet.Set, Settings: set}) || s.left
	}
}

// purge drops what waits: 1 what arrived, 2 what is to be sent, 3 both.
func (s *Session) purge(v byte) {
	if v&1 != 0 && v <= 3 {
		s.out.forget()
		s.look()
	}
	if v&2 != 0 && v <= 3 {
		s.do(outlet.Act{Do: outlet.Purge})
	}
}
