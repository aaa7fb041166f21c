package catalog

import (
	"reflect"
	"strings"
	"testing"

	"backplane/periph"
)

// TestLinks holds the kinds of links against what is said of them beside their code.
func TestLinks(t *testing.T) {
	tables := make(map[string]bool)
	for _, k := range All.Links {
		if tables[k.Table] || k.Table == "" || k.Name == "" || k.Title == "" || k.Source == "" {
			t.Errorf("%q: a kind has a table of its own, a name, a title and a source", k.Table)
		}
		tables[k.Table] = true
		c := k.Config()
		if table := reflect.TypeOf(c); table.Kind() != reflect.Pointer || table.Elem().Kind() != reflect.Struct {
			t.Errorf("%s: its table is no pointer to a struct", k.Table)
		}
		joins := false
		for _, x := range All.Controllers {
			joins = joins || x.Table == k.Joins
		}
		if !joins {
			t.Errorf("%s joins %q, which is no controller", k.Table, k.Joins)
		}
		segment, ok := c.(periph.SegmentConfig)
		if ok != (k.LinkType != 0) {
			t.Errorf("%s: what can be captured is a segment, whose ports have properties, and nothing else is", k.Table)
		}
		if ok {
			properties(t, k.Table, segment)
		}
	}
}

// properties wants each of a segment's places to have those that all have, none twice.
func properties(t *testing.T, table string, c periph.SegmentConfig) {
	c.Check(func(string, string, ...any) {}, []periph.LinkEnd{{Name: "a.p"}, {Name: "b.p"}})
	for _, at := range []struct{ port, way string }{{"", ""}, {"a.p", ""}, {"a.p", "tx"}, {"a.p", "rx"}} {
		names := make(map[string]bool)
		for _, s := range c.Specs(at.port, at.way) {
			if names[s.Name] {
				t.Errorf("%s: %q has %s twice", table, at, s.Name)
			}
			names[s.Name] = true
			if at.way == "" && strings.Contains(s.Name, ".") {
				t.Errorf("%s: %q has %s, and only ways have properties with dots", table, at, s.Name)
			}
		}
		if at.way == "" && !names[periph.LinkState] {
			t.Errorf("%s: %q has no property %q", table, at, periph.LinkState)
		}
	}
}
