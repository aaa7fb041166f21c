package rfc2217

import (
	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
)

// control does or tells what a SET-CONTROL says, and is the answer.
func (s *Session) control(v byte) byte {
	switch v {
	case controlNone, controlSoftware, controlHardware, controlFlow:
		return s.flow(v)
	case controlBreakOn, controlBreakOff:
		s.breakOn = v == controlBreakOn
		s.do(outlet.Act{Do: outlet.Break, On: s.breakOn})
		return v
	case controlBreak:
		return either(s.breakOn, controlBreakOn, controlBreakOff)
	case inboundNone, inboundHardware:
		s.doing.Lock()
		s.inbound = v
		s.doing.Unlock()
		s.look()
		return v
	}
	s.doing.Lock()
	defer s.doing.Unlock()
	switch v {
	case controlDTROn, controlDTROff:
		s.output(serial.DTR, v == controlDTROn)
	case controlRTSOn, controlRTSOff:
		s.output(serial.RTS, v == controlRTSOn)
	}
	switch v {
	case controlDTR, controlDTROn, controlDTROff:
		return either(s.outputs&serial.DTR != 0, controlDTROn, controlDTROff)
	case controlRTS, controlRTSOn, controlRTSOff:
		return either(s.outputs&serial.RTS != 0, controlRTSOn, controlRTSOff)
	case controlInbound, inboundSoftware:
		return s.inbound
	}
	return s.flow(controlFlow) // by DCD, DTR or DSR: there is none
}

// output makes a line active, or not. It is called with doing.
func (s *Session) output(line serial.Lines, active bool) {
	if s.outputs &^= line; active {
		s.outputs |= line
	}
	s.lift()
}

// flow sets or tells the flow control of both ways.
func (s *Session) flow(v byte) byte {
	if v != controlFlow {
		s.change(func(set *outlet.Settings) { set.Flow = flows[v] })
		s.doing.Lock()
		s.inbound = either(v == controlHardware, inboundHardware, inboundNone)
		s.doing.Unlock()
		s.look()
	}
	return indexOf(flows, s.set.Flow)
}

var flows = []outlet.Flow{controlFlow: 0xff, controlNone: outlet.NoFlow, controlSoftware: outlet.Software, controlHardware: outlet.Hardware}

func either(is bool, yes, no byte) byte {
	if is {
		return yes
	}
	return no
}
