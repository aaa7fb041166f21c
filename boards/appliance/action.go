package appliance

import (
	"fmt"
	"slices"
	"strings"

	"backplane/boards"
	"backplane/boards/record"
	"backplane/periph"
)

// Action is something that the outside does to an appliance: the same value, whether a
// scenario's step, a client of the control socket or the record of a run has it.
// [Running.Do] does it.
type Action struct {
	Kind  *ActionKind
	Place string // what it is done to: see Kind.Place
	Value string // its argument, empty for most
	Data  []byte // bytes, for kinds that take some
}

// ActionKind is a kind of action, and all that others have to know of it.
type ActionKind struct {
	// Name is the key of a scenario's step, the command of a client's request, and the
	// word in the record of a run: "power_off".
	Name  string
	Title string     // what it does, in a line for people
	Place *PlaceKind // what it is done to
	// Value is what the command line calls the value that a place is given, "VALUE". A
	// step then has a table of places and their values. Empty: there is none to give.
	Value string
	// Text is what the command line calls a text, Data, that it may be given; Value is then the
	// file that the text comes from, if there is one. A step then has a table. Empty: it takes none.
	Text string
	// Command is what the command line calls it, "power off"; the name if it is empty.
	Command string
	Example string // of the command line, if any
	// Words says what an action does: "power sensor off". Nil: the name and the place.
	Words func(x *Action) string
	// CheckValue says what is wrong with a value for a place, which is good. Nil: there
	// is none, or any will do.
	CheckValue func(a *boards.Appliance, place, value string) error

	do func(r *Running, x *Action) error
	// then makes of a description what the action makes of an appliance. Nil: it does not change.
	then func(a *boards.Appliance, x *Action) error
}

// PlaceKind is a kind of what actions are done to.
type PlaceKind struct {
	Name string // as [Running.Places] has it: "board"
	Form string // what the command line calls it: "BOARD"
	Doc  string // how it is written: "board.button"
	// Check says what is wrong with a place, before anything boots.
	Check func(a *boards.Appliance, place string) error
}

var (
	boardPlace = &PlaceKind{Name: "board", Form: "BOARD", Doc: "board", Check: (*boards.Appliance).CheckBoard}
	linkPlace  = &PlaceKind{Name: "link", Form: "LINK", Doc: "segment, serial link or wire; segment:board.port for one port", Check: (*boards.Appliance).CheckLink}
)

// Actions are all kinds of actions. Jobs are none, since they have streams: see [Running.Start].
var Actions = []*ActionKind{
	Set,
	Press,
	Send,
	Cut,
	Restore,
	PowerOn,
	PowerOff,
	PullPlug,
	Plug,
	Unplug,
}

// FindAction finds a kind of action by its name.
func FindAction(name string) (*ActionKind, bool) {
	i := slices.IndexFunc(Actions, func(k *ActionKind) bool { return k.Name == name })
	if i < 0 {
		return nil, false
	}
	return Actions[i], true
}

// At is such an action on a place, without a value.
func (k *ActionKind) At(place string) Action { return Action{Kind: k, Place: place} }

// With is such an action on a place, with a value.
func (k *ActionKind) With(place, value string) Action {
	return Action{Kind: k, Place: place, Value: value}
}

// String says what the action does.
func (x Action) String() string {
	if x.Kind.Words != nil {
		return x.Kind.Words(&x)
	}
	return strings.ReplaceAll(x.Kind.Name, "_", " ") + " " + x.Place
}

// Check says what is wrong with an action, before anything boots. Its value is not looked
// at if that is not known yet.
func (x Action) Check(a *boards.Appliance, known bool) error {
	if len(x.Data) > 0 && x.Kind.Text != "" {
		if x.Place == "" {
			return nil
		}
		return a.CheckBoard(x.Place) // [Action.Then] looks at the text
	}
	if err := x.Kind.Place.Check(a, x.Place); err != nil || !known || x.Kind.CheckValue == nil {
		return err
	}
	return x.Kind.CheckValue(a, x.Place, x.Value)
}

// Then makes of a [boards.Appliance.Clone] what the action makes of an appliance, so that later ones
// can be checked. The error says what is wrong with the action's text.
func (x Action) Then(a *boards.Appliance) error {
	if x.Kind.then == nil {
		return nil
	}
	return x.Kind.then(a, &x)
}

// Do does an action, and records it. In virtual time no time passes meanwhile.
func (r *Running) Do(x Action) error {
	return r.input(record.Input{Do: x.Kind.Name, Path: x.Place, Value: x.Value, Data: x.Data}, func() error {
		return x.Kind.do(r, &x)
	})
}

// Set is short for the action of that name, as are those below.
func (r *Running) Set(path, value string) error { return r.Do(Set.With(path, value)) }
func (r *Running) Send(path string, data []byte) error {
	return r.Do(Action{Kind: Send, Place: path, Data: data})
}
func (r *Running) Cut(link string) error       { return r.Do(Cut.At(link)) }
func (r *Running) Restore(link string) error   { return r.Do(Restore.At(link)) }
func (r *Running) PowerOn(board string) error  { return r.Do(PowerOn.At(board)) }
func (r *Running) PowerOff(board string) error { return r.Do(PowerOff.At(board)) }
func (r *Running) PullPlug(board string) error { return r.Do(PullPlug.At(board)) }

// inputWords are the words that a record has beside the actions' names.
var inputWords = []string{record.DoExec, record.DoPut, record.DoFetch, record.DoInput, record.DoTook, record.DoResize, record.DoCancel,
	record.DoFrame, record.DoGateway, record.DoSerial, record.DoEvent, record.DoEnd}

// CheckInput says what is wrong with an input of a record, whatever the appliance is.
func CheckInput(in *record.Input) error {
	if _, ok := FindAction(in.Do); !ok && !slices.Contains(inputWords, in.Do) {
		known := slices.Clone(inputWords)
		for _, k := range Actions {
			known = append(known, k.Name)
		}
		return fmt.Errorf("unknown input %.40q%s", in.Do, periph.Suggest(in.Do, known))
	}
	return in.Check()
}
