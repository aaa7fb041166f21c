package hostpty

import (
	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"

	"golang.org/x/sys/unix"
)

// settings is what a program has set, where it can be seen; what cannot is as base has it.
// hangUp tells that it has set the rate 0, which lowers the outputs (termios(3)).
func settings(t *unix.Termios, base, last outlet.Settings) (s outlet.Settings, hangUp bool) {
	s = base
	s.Rate = last.Rate
	if hangUp = t.Cflag&unix.CBAUD == unix.B0; !hangUp && t.Ospeed > 0 && t.Ospeed <= serial.MaxBaud {
		s.Rate = serial.Baud(int(t.Ospeed))
	}
	switch t.Cflag & (unix.PARODD | unix.CMSPAR) {
	case unix.PARODD:
		s.Parity = serial.Odd
	case unix.PARODD | unix.CMSPAR:
		s.Parity = serial.Mark
	case unix.CMSPAR:
		s.Parity = serial.Space
	default:
		if s.Parity != serial.Even {
			s.Parity = serial.None
		}
	}
	switch {
	case t.Cflag&unix.CSTOPB == 0:
		s.Stop = serial.Stop1
	case s.Data == 5: // as UARTs have it
		s.Stop = serial.Stop1Half
	default:
		s.Stop = serial.Stop2
	}
	switch {
	case t.Cflag&unix.CRTSCTS != 0:
		s.Flow = outlet.Hardware
	case t.Iflag&unix.IXON != 0:
		s.Flow = outlet.Software
	default:
		s.Flow = outlet.NoFlow
	}
	return s, hangUp
}

// raw is a terminal that passes all bytes as they are, and is set like that where it can be.
func raw(t *unix.Termios, s outlet.Settings) {
	t.Iflag, t.Oflag, t.Lflag = unix.IGNBRK, 0, 0
	t.Cflag = unix.CS8 | unix.CREAD | unix.HUPCL | unix.CLOCAL | unix.BOTHER
	t.Ispeed, t.Ospeed = uint32(s.Rate.Baud()), uint32(s.Rate.Baud())
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	for _, f := range []struct {
		is  bool
		bit uint32
	}{
		{s.Parity == serial.Odd || s.Parity == serial.Mark, unix.PARODD},
		{s.Parity == serial.Mark || s.Parity == serial.Space, unix.CMSPAR},
		{s.Stop != serial.Stop1, unix.CSTOPB},
		{s.Flow == outlet.Hardware, unix.CRTSCTS},
	} {
		if f.is {
			t.Cflag |= f.bit
		}
	}
	if s.Flow == outlet.Software {
		t.Iflag |= unix.IXON
	}
}
