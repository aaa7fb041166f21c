package can

import (
	"backplane/periph"
	"backplane/simbus/can"
)

// Specs are the properties of the bus, and of its ports.
func (c *BusConfig) Specs(port, way string) []periph.Spec {
	rate := periph.Spec{Name: "error_rate", Kind: periph.Number, Max: 1, Doc: "Fraction of the frames in which a bit flips on the wires"}
	switch {
	case way != "":
		return nil // both ways are the same wires
	case port != "":
		rate.Doc = "Fraction of the frames that the port misreads and that are sent again"
		return []periph.Spec{rate, periph.LinkSpec(),
			{Name: "tec", Kind: periph.Whole, Max: can.MaxCounter, Doc: "The port's transmit error counter: 256 is bus-off"},
			{Name: "rec", Kind: periph.Whole, Max: can.MaxCounter - 1, Doc: "The port's receive error counter"},
			{Name: "state", Kind: periph.Text, ReadOnly: true, Doc: "stopped, error-active, error-passive or bus-off"}}
	}
	return []periph.Spec{rate, periph.LinkSpec(),
		{Name: "dominant", Kind: periph.Switch, Doc: "Whether the wires are held dominant, as by a short circuit"},
		{Name: "frames", Kind: periph.Whole, ReadOnly: true, Doc: "Frames sent"},
		{Name: "errors", Kind: periph.Whole, ReadOnly: true, Doc: "Errors on the bus"}}
}

// At are the properties of a place on the bus.
func (s *segment) At(name, _ string) periph.Properties {
	if p := s.port(name); p != nil {
		return p
	}
	return s
}

// Get reads a property of the bus.
func (s *segment) Get(name string) (v periph.Value) {
	s.domain.Do(func() {
		switch name {
		case periph.LinkState:
			v = periph.Str(periph.FormatLinkState(!s.down))
		case "error_rate":
			v = periph.Num(s.ErrorRate())
		case "dominant":
			v = periph.On(s.Dominant())
		case "frames":
			v = periph.Num(float64(s.frames))
		case "errors":
			v = periph.Num(float64(s.errors))
		}
	})
	return v
}

// Set changes it.
func (s *segment) Set(name string, v periph.Value) error {
	s.domain.Do(func() {
		switch name {
		case "error_rate":
			s.SetErrorRate(v.Float())
		case "dominant":
			s.SetDominant(v.Bool())
		}
	})
	return nil
}

// Get reads a property of a port.
func (p *port) Get(name string) (v periph.Value) {
	p.seg.domain.Do(func() {
		tec, rec := p.Counters()
		switch name {
		case periph.LinkState:
			v = periph.Str(periph.FormatLinkState(!p.down))
		case "error_rate":
			v = periph.Num(p.ErrorRate())
		case "tec":
			v = periph.Num(float64(tec))
		case "rec":
			v = periph.Num(float64(rec))
		case "state":
			v = periph.Str(p.State().String())
		}
	})
	return v
}

// Set changes it.
func (p *port) Set(name string, v periph.Value) error {
	p.seg.domain.Do(func() {
		tec, rec := p.Counters()
		switch name {
		case "error_rate":
			p.SetErrorRate(v.Float())
		case "tec":
			p.SetCounters(v.Int(), rec)
		case "rec":
			p.SetCounters(tec, v.Int())
		}
	})
	return nil
}
