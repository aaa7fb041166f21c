package rfc2217

// options are which telnet options are on, on each side. An answer is only sent where
// something changes, so that nothing is answered for ever (RFC 1143).
type options struct {
	send func(p []byte)
	// comPort is called when the client may use the option for the first time.
	comPort func()

	ours, theirs map[byte]*option
	spoke        bool // the client has used telnet
}

type option struct{ on, asked bool }

func newOptions(send func([]byte), comPort func()) *options {
	return &options{send: send, comPort: comPort,
		ours:   map[byte]*option{optBinary: {}, optEcho: {}, optSGA: {}, optComPort: {}},
		theirs: map[byte]*option{optBinary: {}, optSGA: {}, optComPort: {}}}
}

// negotiate takes a WILL, WONT, DO or DONT.
func (o *options) negotiate(verb, code byte) {
	o.spoke = true
	side, yes, no := o.ours, byte(cmdWILL), byte(cmdWONT)
	if verb == cmdWILL || verb == cmdWONT {
		side, yes, no = o.theirs, cmdDO, cmdDONT
	}
	want := verb == cmdWILL || verb == cmdDO
	opt := side[code]
	switch {
	case opt == nil && want:
		o.send([]byte{cmdIAC, no, code})
		return
	case opt == nil || opt.on == want && !opt.asked:
		return
	}
	if asked := opt.asked; !asked {
		if want {
			o.send([]byte{cmdIAC, yes, code})
		} else {
			o.send([]byte{cmdIAC, no, code})
		}
	}
	opt.on, opt.asked = want, false
	if code == optComPort && want {
		o.agreed()
	}
}

// agreed lets all bytes pass as they are, once the client has a COM port.
func (o *options) agreed() {
	if o.comPort == nil {
		return
	}
	o.ask(o.theirs[optBinary], cmdDO)
	o.ask(o.ours[optBinary], cmdWILL)
	o.comPort()
	o.comPort = nil
}

func (o *options) ask(opt *option, verb byte) {
	if !opt.on && !opt.asked {
		opt.asked = true
		o.send([]byte{cmdIAC, verb, optBinary})
	}
}

// plain tells whether what the client sends is text, and not any bytes.
func (o *options) plain() bool {
	return o.spoke && !o.theirs[optBinary].on && o.comPort != nil
}
