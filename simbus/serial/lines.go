package serial

import "strings"

// Lines are modem lines that are active, as seen from the board.
type Lines uint8

// The lines: two outputs and four inputs (ITU-T V.24).
const (
	RTS Lines = 1 << iota // request to send
	DTR                   // data terminal ready
	CTS                   // clear to send
	DSR                   // data set ready
	DCD                   // data carrier detected
	RI                    // ring indicator

	Outputs = RTS | DTR
	Inputs  = CTS | DSR | DCD | RI
)

// LineNames are the lines' names, the lowest bit's first.
var LineNames = [...]string{"rts", "dtr", "cts", "dsr", "dcd", "ri"}

// String is the names of those that are active: "rts dtr"; empty for none.
func (l Lines) String() string {
	var names []string
	for i, name := range LineNames {
		if l>>i&1 != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// SetOutputs sets RTS and DTR.
func (p *Port) SetOutputs(l Lines) {
	if l &= Outputs; l != p.outputs {
		p.outputs = l
		if p.line != nil && !p.off {
			p.line.lines(p)
		}
	}
}

// Outputs are RTS and DTR as they were set.
func (p *Port) Outputs() Lines { return p.outputs }

// Inputs are CTS, DSR, DCD and RI.
func (p *Port) Inputs() Lines { return p.linked&p.driven | p.outside&^p.driven }

// Driven are the inputs that the other end of the line drives. The others are what SetInputs
// has made them.
func (p *Port) Driven() Lines { return p.driven }

// SetInputs sets the inputs among which, as parts and scenarios do. Those that the other end
// of the line drives do not show it.
func (p *Port) SetInputs(which, l Lines) {
	p.change(func() { p.outside = p.outside&^which | l&which&Inputs })
}

// change tells of inputs that are others after f.
func (p *Port) change(f func()) {
	before := p.Inputs()
	f()
	if now := p.Inputs(); now != before && p.OnInputs != nil {
		p.OnInputs(now, now^before)
	}
}

// shown are the outputs that others see: none without power.
func (p *Port) shown() Lines {
	if p.off {
		return 0
	}
	return p.outputs
}
