package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/tomlfile"
	"backplane/periph"
)

// deed is an action of a step as its file has it: ${name} stands in it for what earlier
// steps capture.
type deed struct {
	kind         *appliance.ActionKind
	at           string // the key of its place in the step: "cut", "set.sensor.temp0.temperature"
	place, value string
	valueAt      string // the key of the value, if that is another
	hex          bool   // the value is bytes in hexadecimal digits
	text         []byte // what the action is given beside the place
}

// actionKeys are the keys of which a step has at most one.
func actionKeys() (keys []string) {
	for _, k := range appliance.Actions {
		keys = append(keys, k.Name)
	}
	return append(keys, "exec")
}

// read finds what the step does, once its own keys are read.
func (st *Step) read() {
	for _, key := range slices.Sorted(maps.Keys(st.Other)) {
		if kind, ok := appliance.FindAction(key); ok {
			st.readAction(kind, st.Other[key])
			continue
		}
		known := append(tomlfile.Fields(*st), actionKeys()...)
		st.doc.Add(st.path+"."+key, "unknown key %q%s", key, periph.Suggest(key, known))
	}
	if s := st.Send; s != nil {
		text := s.Text
		if s.Hex != "" {
			text = s.Hex
		}
		st.deeds = append(st.deeds, deed{kind: appliance.Send, at: "send.to", place: s.To, value: text, hex: s.Hex != ""})
	}
}

// readAction reads what stands under the key of a kind of action: a place, or a table of
// places and values.
func (st *Step) readAction(kind *appliance.ActionKind, raw any) {
	at := st.path + "." + kind.Name
	if kind.Value != "" {
		var table map[string]any
		st.doc.Decode(at, raw, &table)
		if table != nil && len(table) == 0 {
			st.doc.Add(at, "%s has no place: write %s = { \"%s\" = %s }", kind.Name, kind.Name, kind.Place.Form, kind.Value)
		}
		st.readTable(kind, kind.Name, "", table)
		return
	}
	d := deed{kind: kind, at: kind.Name}
	if _, table := raw.(map[string]any); table && kind.Text != "" {
		st.readText(kind, raw)
		return
	}
	st.doc.Decode(at, raw, &d.place)
	if text, ok := raw.(string); ok && text == "" {
		st.doc.Add(at, "%s has no place: write %s = \"%s\"", kind.Name, kind.Name, kind.Place.Form)
	}
	if kind == appliance.Press {
		hold := DefaultHold
		if st.Hold > 0 {
			hold, d.valueAt = time.Duration(st.Hold), "hold"
		}
		d.value = milliseconds(hold)
	}
	st.deeds = append(st.deeds, d)
}

// readText reads a table of a place and a text.
func (st *Step) readText(kind *appliance.ActionKind, raw any) {
	var table struct {
		Board string `toml:"board"`
		TOML  string `toml:"toml"`
	}
	at := st.path + "." + kind.Name
	st.doc.Decode(at, raw, &table)
	if table.TOML == "" {
		st.doc.Add(at, "%s needs toml: write %s = { board = \"BOARD\", toml = '''...''' }, as a board file has it, or without a board as an appliance file has it", kind.Name, kind.Name)
	}
	place := kind.Name + ".board"
	if table.Board == "" {
		place = kind.Name + ".toml"
	}
	st.deeds = append(st.deeds, deed{kind: kind, at: place, place: table.Board, valueAt: kind.Name + ".toml", text: []byte(table.TOML)})
}

// readTable reads values that places are given: TOML has tables in tables of places that
// are not quoted.
func (st *Step) readTable(kind *appliance.ActionKind, at, prefix string, table map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		d := deed{kind: kind, at: at + "." + key, place: prefix + key}
		if inner, ok := table[key].(map[string]any); ok {
			st.readTable(kind, d.at, d.place+".", inner)
			continue
		}
		var ok bool
		if d.value, ok = format(table[key]); !ok {
			st.doc.Add(st.path+"."+d.at, "%s must be a finite number, text in quotes, or true or false", d.place)
		}
		st.deeds = append(st.deeds, d)
	}
	slices.SortFunc(st.deeds, func(a, b deed) int { return strings.Compare(a.place, b.place) })
}

// milliseconds is how long a button is pressed, as the button has it.
func milliseconds(d time.Duration) string {
	return strconv.FormatFloat(d.Seconds()*1e3, 'f', -1, 64)
}

// action is what is done, with the values of earlier steps.
func (d *deed) action(vars map[string]string) (x appliance.Action, err error) {
	x = d.kind.With(expand(d.place, vars, plain), expand(d.value, vars, plain))
	if d.text != nil {
		x.Data = d.text
	}
	if d.hex {
		x.Data, err = parseHex(x.Value)
		x.Value = ""
	}
	return x, err
}

// words say what is done, before anything is captured.
func (d *deed) words() string {
	if d.hex {
		return fmt.Sprintf("send the bytes %s to %s", d.value, d.place)
	}
	x := d.kind.With(d.place, d.value)
	x.Data = d.text
	return x.String()
}

// known tells whether a text has nothing of earlier steps in it.
func known(text string) bool { return len(variables(text)) == 0 }

// check holds the action against its appliance, as far as it is known before the run. The
// error is about a key of the step.
func (d *deed) check(a *boards.Appliance) (key string, err error) {
	if !known(d.place) || d.place == "" {
		return d.at, nil
	}
	x := d.kind.With(expand(d.place, nil, plain), expand(d.value, nil, plain))
	x.Data = d.text
	if err := x.Check(a, false); err != nil || !known(d.value) || d.valueAt == "" {
		return d.at, x.Check(a, known(d.value))
	}
	return d.valueAt, x.Check(a, true)
}

// then makes of the appliance's description what the action makes of the appliance.
func (d *deed) then(a *boards.Appliance) (key string, err error) {
	x := d.kind.At(expand(d.place, nil, plain))
	if x.Data = d.text; !known(d.place) || x.Check(a, false) != nil {
		return d.at, nil
	}
	if err = x.Then(a); len(d.text) > 0 {
		return d.valueAt, err
	}
	return d.at, err
}
