package rfc2217

// What telnet's commands and options are (RFC 854, 856, 857, 858, 2217).
const (
	cmdSE   = 240
	cmdBRK  = 243
	cmdAYT  = 246
	cmdSB   = 250
	cmdWILL = 251
	cmdWONT = 252
	cmdDO   = 253
	cmdDONT = 254
	cmdIAC  = 255

	optBinary  = 0
	optEcho    = 1
	optSGA     = 3
	optComPort = 44
)

// maxParameters is how long a subnegotiation is that is heeded, in bytes: none of ours is
// longer than a signature. What is longer is passed over.
const maxParameters = 256

// telnet takes a stream apart. Its functions are called in the stream's order.
type telnet struct {
	data      func(p []byte) // may be called for any piece
	command   func(c byte)
	negotiate func(verb, option byte)
	parameter func(option byte, p []byte) // a subnegotiation

	// plain lets a carriage return be what RFC 854 makes of it: NUL after it means nothing.
	plain func() bool

	state state
	verb  byte
	sub   []byte // of a subnegotiation, its option first
	long  bool   // it is too long
	cr    bool   // the last byte of data was a carriage return
}

type state uint8

const (
	inData state = iota
	inCommand
	inOption // after WILL, WONT, DO, DONT
	inSub
	inSubCommand
)

// feed takes a piece of the stream. It changes p.
func (t *telnet) feed(p []byte) {
	kept := p[:0] // bytes of data: never more than have been read
	flush := func() {
		if len(kept) > 0 {
			t.data(kept)
		}
	}
	for i, b := range p {
		switch t.state {
		case inData:
			switch {
			case b == cmdIAC:
				t.state = inCommand
			case b == 0 && t.cr && t.plain():
				t.cr = false
			default:
				kept, t.cr = append(kept, b), b == '\r'
			}
		case inCommand:
			if b == cmdIAC {
				kept, t.cr, t.state = append(kept, b), false, inData
				continue
			}
			flush()
			kept = p[i+1 : i+1]
			t.begin(b)
		case inOption:
			t.state = inData
			t.negotiate(t.verb, b)
			kept = p[i+1 : i+1]
		case inSub, inSubCommand:
			t.within(b)
			kept = p[i+1 : i+1]
		}
	}
	flush()
}

// begin takes the byte after an IAC.
func (t *telnet) begin(b byte) {
	t.state = inData
	switch b {
	case cmdWILL, cmdWONT, cmdDO, cmdDONT:
		t.state, t.verb = inOption, b
	case cmdSB:
		t.state, t.sub, t.long = inSub, t.sub[:0], false
	default:
		t.command(b)
	}
}

// within takes a byte of a subnegotiation.
func (t *telnet) within(b byte) {
	if t.state == inSub {
		if b == cmdIAC {
			t.state = inSubCommand
			return
		}
		t.keep(b)
		return
	}
	if t.state = inSub; b == cmdIAC {
		t.keep(b)
		return
	}
	// SE, or a command without it: a subnegotiation ends there too.
	if t.state = inData; !t.long && len(t.sub) > 0 {
		t.parameter(t.sub[0], t.sub[1:])
	}
	if b != cmdSE {
		t.begin(b)
	}
}

func (t *telnet) keep(b byte) {
	if len(t.sub) >= maxParameters {
		t.long = true
		return
	}
	t.sub = append(t.sub, b)
}

// escaped adds p to b, each 255 of it twice.
func escaped(b, p []byte) []byte {
	for _, c := range p {
		if b = append(b, c); c == cmdIAC {
			b = append(b, c)
		}
	}
	return b
}
