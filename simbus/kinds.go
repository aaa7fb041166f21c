package simbus

import (
	"fmt"
	"slices"
)

// Kind describes a kind of event. The package that emits such events declares it;
// scenarios are checked against it, and the documentation is held against it.
type Kind struct {
	Name  string
	Attrs []KindAttr // in the order in which they stand in an event, which may lack some
	Doc   string     // one line
}

// KindAttr describes an attribute of a kind of event.
type KindAttr struct {
	Key    string
	Values []string // all that it can be; nil if there is no such list
	Names  Names    // what of the appliance it names, and so what it can be
	Doc    string   // a few words, where the key does not say it all
}

// Names is what of an appliance an attribute names: one of these, or nothing that could be listed.
type Names string

// What attributes name.
const (
	NamesLine     Names = "line"     // a GPIO line
	NamesPort     Names = "port"     // of a segment
	NamesProperty Names = "property" // of whatever has some
)

// Keys are those of the attributes.
func (k *Kind) Keys() []string {
	keys := make([]string, len(k.Attrs))
	for i := range k.Attrs {
		keys[i] = k.Attrs[i].Key
	}
	return keys
}

// Check finds what an event of the kind has that the kind does not.
func (k *Kind) Check(e *Event) error {
	rest := k.Attrs
	for _, a := range e.Attrs {
		i := slices.IndexFunc(rest, func(d KindAttr) bool { return d.Key == a.Key })
		if i < 0 {
			return fmt.Errorf("an event of kind %q has no attribute %q, or not in this place", k.Name, a.Key)
		}
		if v := rest[i].Values; v != nil && !slices.Contains(v, a.Value()) {
			return fmt.Errorf("%s of an event of kind %q is %q; it must be one of %q", a.Key, k.Name, a.Value(), v)
		}
		rest = rest[i+1:]
	}
	return nil
}

// FindKind finds a kind by its name.
func FindKind(kinds []*Kind, name string) (*Kind, bool) {
	i := slices.IndexFunc(kinds, func(k *Kind) bool { return k.Name == name })
	if i < 0 {
		return nil, false
	}
	return kinds[i], true
}
