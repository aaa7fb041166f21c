package regmap

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
)

// Problem is something wrong in a Map.
type Problem struct {
	// Key is the path to it in the TOML table: "register", "2", "width".
	// Elements of arrays count from 0.
	Key  []string
	Text string // what is wrong, and what would be right
}

func (p Problem) String() string { return strings.Join(p.Key, ".") + ": " + p.Text }

// taken are the keys that a part has in the board file beside its properties.
var taken = []string{"name", "model", "address", "pins", "registers"}

// What the widths of a register and of an address can be, in bits.
var (
	widths        = []int{8, 16, 24, 32}
	addressWidths = []int{8, 16}
)

var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// Check says what is wrong in the description, in the order of the file. A Map
// without problems makes a model.
func (m *Map) Check() []Problem {
	c := &checker{m: m}
	c.header()
	for i := range m.Register {
		c.register(i)
	}
	for i := range m.Property {
		c.property(i)
	}
	for i := range m.Threshold {
		c.threshold(i)
	}
	return c.problems
}

type checker struct {
	m        *Map
	problems []Problem
}

// add notes a problem; the elements of the key are strings and ints.
func (c *checker) add(key []any, format string, args ...any) {
	p := Problem{Text: fmt.Sprintf(format, args...)}
	for _, k := range key {
		p.Key = append(p.Key, fmt.Sprint(k))
	}
	c.problems = append(c.problems, p)
}

// oneOf checks a word that may be empty.
func (c *checker) oneOf(key []any, word string, words ...string) {
	if word != "" && !slices.Contains(words, word) {
		c.add(key, "%q must be one of %q", word, words)
	}
}

func (c *checker) finite(key []any, name string, v *float64) bool {
	if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
		c.add(append(key, name), "%s must be a finite number", name)
		return false
	}
	return true
}

func (c *checker) header() {
	m := c.m
	if !slices.Contains(addressWidths, m.addressWidth()) {
		c.add([]any{"address_width"}, "an address cannot have %d bits: it must have 8 or 16", m.AddressWidth)
	}
	c.oneOf([]any{"byte_order"}, m.ByteOrder, bigEndian, littleEndian)
	c.oneOf([]any{"addressing"}, m.Addressing, byRegister, byByte)
	if m.Interrupt != "" && !slices.ContainsFunc(m.Threshold, func(t Threshold) bool { return t.Pin == m.Interrupt }) {
		c.add([]any{"interrupt"}, "no threshold drives a pin %q", m.Interrupt)
	}
	if len(m.Compatible) == 0 && m.Node != "" {
		c.add([]any{"node"}, "node is %q, but a part without compatible has no device-tree node", m.Node)
	}
	if len(m.Compatible) == 0 && m.Interrupt != "" {
		c.add([]any{"interrupt"}, "a part without compatible has no device-tree node to interrupt")
	}
	if len(m.Register) == 0 {
		c.add([]any{"register"}, "a part needs at least one register")
	}
}

func (c *checker) register(i int) {
	m, r, at := c.m, &c.m.Register[i], func(k string) []any { return []any{"register", i, k} }
	if r.Name == "" {
		c.add(at("name"), "a register needs a name")
	}
	c.oneOf(at("byte_order"), r.ByteOrder, bigEndian, littleEndian)
	c.oneOf(at("access"), r.Access, readWrite, readOnly, writeOnly, write1ToClear, readToClear)
	if !slices.Contains(widths, r.width()) {
		c.add(at("width"), "a register cannot have %d bits: it must have 8, 16, 24 or 32", r.Width)
		return
	}
	if uint64(r.Reset) >= 1<<r.width() {
		c.add(at("reset"), "%#x does not fit %d bits", r.Reset, r.width())
	}
	if slices.Contains(addressWidths, m.addressWidth()) {
		if last := 1<<m.addressWidth() - m.span(r); r.Address < 0 || r.Address > last {
			c.add(at("address"), "%#x is outside the addresses of the part: it must be 0 to %#x", r.Address, last)
		}
	}
	for j := range i {
		other := &m.Register[j]
		if r.Name == other.Name && r.Name != "" {
			c.add(at("name"), "register %d is also called %q", j+1, r.Name)
		}
		if r.Address < other.Address+m.span(other) && other.Address < r.Address+m.span(r) {
			c.add(at("address"), "%#x belongs to register %q already", r.Address, other.Name)
		}
	}
}

func (c *checker) property(i int) {
	m, p, at := c.m, &c.m.Property[i], func(k string) []any { return []any{"property", i, k} }
	switch {
	case !identifier.MatchString(p.Name):
		c.add(at("name"), "%q is not a name for a property: use small letters, digits and _, a letter first", p.Name)
	case slices.Contains(taken, p.Name):
		c.add(at("name"), "%q is a key of every part: use another name", p.Name)
	case slices.ContainsFunc(m.Property[:i], func(o Property) bool { return o.Name == p.Name }):
		c.add(at("name"), "another property is also called %q", p.Name)
	}
	finite := c.finite([]any{"property", i}, "scale", &p.Scale)
	finite = c.finite([]any{"property", i}, "offset", &p.Offset) && finite
	for _, v := range []struct {
		name  string
		value *float64
	}{{"min", p.Min}, {"max", p.Max}, {"default", p.Default}} {
		finite = c.finite([]any{"property", i}, v.name, v.value) && finite
	}
	index := m.registerIndex(p.Register)
	if index < 0 {
		c.add(at("register"), "no register is called %q", p.Register)
		return
	}
	if !slices.Contains(widths, m.Register[index].width()) {
		return // told already
	}
	f, err := m.field(p)
	if err != nil {
		c.add(at("bits"), "%v", err)
		return
	}
	if finite {
		c.limits(i, f)
	}
}

// limits checks that what may be set can be held.
func (c *checker) limits(i int, f field) {
	p, at := &c.m.Property[i], func(k string) []any { return []any{"property", i, k} }
	low, high := f.limits()
	if math.IsInf(low, 0) || math.IsInf(high, 0) {
		c.add(at("scale"), "%g makes values that are not finite", p.Scale)
		return
	}
	if p.Min != nil && (*p.Min < low || *p.Min > high) {
		c.add(at("min"), "%g is outside what the field can hold, %g to %g", *p.Min, low, high)
	}
	if p.Max != nil && (*p.Max < low || *p.Max > high) {
		c.add(at("max"), "%g is outside what the field can hold, %g to %g", *p.Max, low, high)
	}
	if p.Min != nil {
		low = *p.Min
	}
	if p.Max != nil {
		high = *p.Max
	}
	if low > high {
		c.add(at("max"), "the range %g to %g is empty", low, high)
		return
	}
	if p.Default != nil && (*p.Default < low || *p.Default > high) {
		c.add(at("default"), "%g is outside %g to %g", *p.Default, low, high)
	}
}

func (c *checker) threshold(i int) {
	m, t, at := c.m, &c.m.Threshold[i], func(k string) []any { return []any{"threshold", i, k} }
	if !identifier.MatchString(t.Pin) {
		c.add(at("pin"), "%q is not a name for a pin: use small letters, digits and _, a letter first", t.Pin)
	}
	if j := slices.IndexFunc(m.Threshold[:i], func(o Threshold) bool { return o.Pin == t.Pin }); j >= 0 {
		if o := &m.Threshold[j]; o.ActiveLow != t.ActiveLow {
			c.add(at("active_low"), "pin %q has active_low = %t above", t.Pin, o.ActiveLow)
		} else if o.OpenDrain != t.OpenDrain {
			c.add(at("open_drain"), "pin %q has open_drain = %t above", t.Pin, o.OpenDrain)
		}
	}
	if t.Above == nil && t.Below == nil && t.AboveRegister == "" && t.BelowRegister == "" {
		c.add([]any{"threshold", i}, "a threshold needs a limit: above, below, above_register or below_register")
	}
	for _, v := range []struct {
		name  string
		value *float64
	}{{"above", t.Above}, {"below", t.Below}, {"hysteresis", &t.Hysteresis}} {
		c.finite([]any{"threshold", i}, v.name, v.value)
	}
	if t.Hysteresis < 0 {
		c.add(at("hysteresis"), "%g is negative", t.Hysteresis)
	}
	c.limitRegister(i, "above_register", t.AboveRegister, t.Above)
	c.limitRegister(i, "below_register", t.BelowRegister, t.Below)
	if m.propertyIndex(t.Property) < 0 {
		c.add(at("property"), "no property is called %q", t.Property)
	}
}

// limitRegister checks that a limit is in a register, if it is, that can hold
// the field of the property.
func (c *checker) limitRegister(i int, key, name string, value *float64) {
	if name == "" {
		return
	}
	m, at := c.m, []any{"threshold", i, key}
	limit := m.registerIndex(name)
	if limit < 0 {
		c.add(at, "no register is called %q", name)
		return
	}
	if value != nil {
		c.add(at, "the limit is also given as %s: use one of them", strings.TrimSuffix(key, "_register"))
	}
	p := m.propertyIndex(m.Threshold[i].Property)
	if p < 0 {
		return
	}
	if own := m.registerIndex(m.Property[p].Register); own >= 0 && m.Register[own].width() != m.Register[limit].width() {
		c.add(at, "register %q has %d bits, and the property's register %q has %d: they must have the same format",
			name, m.Register[limit].width(), m.Property[p].Register, m.Register[own].width())
	}
}
