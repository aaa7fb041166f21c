// Package periph is what a board is made of besides its kernel: the models of
// parts that a TOML file can name, and what they have in common. Each kind of
// controller has a package of its own (gpio, i2c, serial, net ...), all of them
// virtio devices (virtio, vhostuser); the chips stand in periph/chips, a package each.
//
// Words: a controller is what the guest kernel sees (a gpiochip, an I2C
// adapter); a chip hangs on a controller; a property is what the outside can
// set or read on a chip, controller or link; a model is a kind of chip, and a
// kind one of controllers or links, that TOML can name.
package periph

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Kind is the type of a property's or an option's value.
type Kind uint8

// The kinds of values.
const (
	Number Kind = iota // float64 with a unit
	Whole              // a whole number
	Switch             // on or off
	Text               // text
	Action             // write only: something to do, such as pressing a button; the value is its argument
)

func (k Kind) String() string {
	return [...]string{"number", "whole number", "switch", "text", "action"}[k]
}

// Spec describes one property or option of a model: what `backplane parts`
// lists, what a board file is checked against, and what Set enforces.
type Spec struct {
	Name     string
	Kind     Kind
	Unit     string  // "°C", "V", "ms"; empty for none
	Min, Max float64 // range of a Number or Whole, both 0 for no limit
	// Range, if set, is the range where options decide it: Min and Max are then
	// those of a part whose options are left out.
	Range    func(o *Options) (low, high float64)
	Default  Value     // the value at power-on unless the board file says otherwise
	Enum     []string  // allowed words of a Text; empty for any text
	Only     []float64 // the only values of a Number or Whole, in order; empty for all in the range
	Hex      bool      // a Whole that people write in hexadecimal: an address
	Required bool      // a board file must give it
	Unique   bool      // no two chips of a bus may have the same
	ReadOnly bool      // cannot be set from outside
	// Valid, if set, says what is wrong with a value beside all that.
	Valid func(v Value) error
	// Loose values are not written in one way alone: "50us" is read back as "50µs".
	Loose bool
	Doc   string // one line
}

// Properties are what the outside can set and read by name: those of a chip, or of a
// place on a link.
type Properties interface {
	// Get and Set read and write a property by its name among the specs; Set is given a
	// value that Spec.Check found good.
	Get(property string) Value
	Set(property string, v Value) error
}

// Value is a value of some Kind. The zero Value is the number 0, off, and "".
type Value struct {
	num  float64
	text string
}

// Num, On and Str make values.
func Num(f float64) Value { return Value{num: f} }

// On makes the value of a Switch.
func On(b bool) Value {
	if b {
		return Value{num: 1}
	}
	return Value{}
}

// Str makes the value of a Text.
func Str(s string) Value { return Value{text: s} }

// Float is the value of a Number or Whole.
func (v Value) Float() float64 { return v.num }

// Int is the value of a Whole.
func (v Value) Int() int { return int(v.num) }

// Bool is the value of a Switch.
func (v Value) Bool() bool { return v.num != 0 }

// Text is the value of a Text.
func (v Value) Text() string { return v.text }

// TemperatureSpec is the property of a sensor that measures from low to high, in °C.
func TemperatureSpec(low, high float64) Spec {
	return Spec{Name: "temperature", Kind: Number, Unit: "°C", Min: low, Max: high, Default: Num(25), Doc: "temperature of the part"}
}

// For is the spec as it is for a part with these options.
func (s *Spec) For(o *Options) *Spec {
	if s.Range == nil {
		return s
	}
	own := *s
	own.Range = nil
	own.Min, own.Max = s.Range(o)
	return &own
}

// Format writes the value as its spec's kind has it, without the unit. Parse reads it back.
func (s *Spec) Format(v Value) string {
	switch s.Kind {
	case Switch:
		if v.Bool() {
			return "on"
		}
		return "off"
	case Text, Action:
		return v.text
	default:
		if v.text != "" { // of several numbers that differ
			return v.text
		}
		return s.number(v.num)
	}
}

// number writes a number.
func (s *Spec) number(f float64) string {
	if s.Kind == Whole && !s.Hex {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	if s.Hex && f >= 0 && f == math.Trunc(f) && f <= math.MaxUint32 {
		return fmt.Sprintf("%#02x", uint32(f))
	}
	if size := math.Abs(f); size >= 1e-6 && size < 1e21 || size == 0 { // as JSON's writers have it
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', -1, 64)
}

// Parse reads a value from text and checks it.
func (s *Spec) Parse(text string) (Value, error) {
	switch s.Kind {
	case Switch:
		switch text {
		case "on", "true", "1", "high", "closed":
			return On(true), s.Check(On(true))
		case "off", "false", "0", "low", "open":
			return On(false), s.Check(On(false))
		}
		return Value{}, fmt.Errorf("%q is not a switch position: write on or off", text)
	case Text, Action:
		return Str(text), s.Check(Str(text))
	default:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return Value{}, fmt.Errorf("%q is not a number", text)
		}
		return Num(f), s.Check(Num(f))
	}
}

// Check says what is wrong with the value for this spec, if anything.
func (s *Spec) Check(v Value) error {
	if err := s.bounds(v); err != nil || s.Valid == nil {
		return err
	}
	return s.Valid(v)
}

// bounds holds the value against the range and the words.
func (s *Spec) bounds(v Value) error {
	switch s.Kind {
	case Number, Whole:
		if math.IsNaN(v.num) || math.IsInf(v.num, 0) {
			return fmt.Errorf("%s must be a finite number", s.Name)
		}
		if s.Kind == Whole && v.num != math.Trunc(v.num) {
			return fmt.Errorf("%s is %s; it must be a whole number", s.Name, s.Format(v))
		}
		if span := s.Span(); span != "" && (v.num < s.Min || v.num > s.Max) {
			return fmt.Errorf("%s is %s, outside %s", s.Name, s.Format(v), span)
		}
		if len(s.Only) > 0 && !slices.Contains(s.Only, v.num) {
			return fmt.Errorf("%s is %s; it must be %s", s.Name, s.Format(v), s.Choice())
		}
	case Text:
		if len(s.Enum) == 0 {
			return nil
		}
		for _, e := range s.Enum {
			if v.text == e {
				return nil
			}
		}
		return fmt.Errorf("%s is %q; it must be one of %q", s.Name, v.text, s.Enum)
	}
	return nil
}

// Span says what a number's range is: "-55 to 150 °C". It is empty if there is none.
func (s *Spec) Span() string {
	if s.Min == 0 && s.Max == 0 {
		return ""
	}
	return s.number(s.Min) + " to " + s.number(s.Max) + s.unit()
}

// Choice says which values there are, if they are few: "0x68", "0 or 3", "one of 0x48 to 0x4b".
func (s *Spec) Choice() string {
	switch n := len(s.Only); n {
	case 0:
		return ""
	case 1:
		return s.number(s.Only[0])
	case 2:
		return s.number(s.Only[0]) + " or " + s.number(s.Only[1])
	default:
		return fmt.Sprintf("one of %s to %s", s.number(s.Only[0]), s.number(s.Only[n-1]))
	}
}

// InUnit says in what unit the value is, as the end of a sentence; nothing if it has none.
func (s *Spec) InUnit() string {
	if s.Unit == "" {
		return ""
	}
	return ", in " + s.Unit
}

func (s *Spec) unit() string {
	if s.Unit == "" {
		return ""
	}
	return " " + s.Unit
}
