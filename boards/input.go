package boards

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"

	"backplane/simbus"
)

// Input is one thing that the outside did to an appliance in virtual time: a
// line of inputs.jsonl. The same inputs at the same times, to an appliance that
// was started alike, bring about the same.
type Input struct {
	Time  simbus.Time     `json:"t"`
	Do    string          `json:"do"`              // one of the Do constants
	Path  string          `json:"path,omitempty"`  // board, property, console, link or gateway
	Value string          `json:"value,omitempty"` // of a property; a file on a board; which program to cancel
	Args  []string        `json:"args,omitempty"`  // a program's
	Mode  os.FileMode     `json:"mode,omitempty"`  // a file's
	Data  []byte          `json:"data,omitempty"`  // typed, standard input, a file's contents, or a frame
	Event json.RawMessage `json:"event,omitempty"` // an event that the outside put into the stream
}

// What an Input does.
const (
	DoSet      = "set"
	DoSend     = "send" // to a console or UART
	DoExec     = "exec"
	DoCancel   = "cancel" // the program of the so-manieth exec, from 1
	DoPut      = "put"
	DoFetch    = "fetch"
	DoCut      = "cut"
	DoRestore  = "restore"
	DoPowerOn  = "power_on"
	DoPowerOff = "power_off"
	DoPullPlug = "pull_plug"
	DoFrame    = "frame"   // a frame comes in through a gateway
	DoGateway  = "gateway" // something happened at a gateway
	DoEvent    = "event"   // a scenario's step
	DoEnd      = "end"     // the appliance was ended; Value says if it was interrupted
)

// Interrupted is the Value of a DoEnd if the appliance did not stand still then,
// so that what was recorded last need not be all that happened until then.
const Interrupted = "interrupted"

// input does what the outside wants done, and records it. In virtual time no
// time passes meanwhile.
func (r *Running) input(in Input, do func() error) error {
	if !r.opts.Virtual {
		return do()
	}
	r.outside.Lock()
	defer r.outside.Unlock()
	in.Time = r.cal.Now()
	r.recordInput(&in)
	return do()
}

// recordInput writes an input down before it is done, so that none is missing
// if that is the end.
func (r *Running) recordInput(in *Input) {
	if r.inputs == nil {
		return
	}
	line, err := json.Marshal(in)
	if err != nil {
		r.inputs.give(err)
		return
	}
	_, _ = r.inputs.Write(append(line, '\n'))
}

// Apply does an input again, at the present time: a replay calls it between two
// calls of Advance. An input that failed when it was recorded fails again.
func (r *Running) Apply(in Input) error {
	switch in.Do {
	case DoSet:
		return r.Set(in.Path, in.Value)
	case DoSend:
		return r.Send(in.Path, in.Data)
	case DoExec:
		none := func([]byte) {}
		_, err := r.Exec(in.Path, in.Args, in.Data, none, none, func(int, error) {})
		return err
	case DoCancel:
		n, err := strconv.Atoi(in.Value)
		if err != nil || n < 1 || n > len(r.programs) {
			return fmt.Errorf("there is no program %q to cancel", in.Value)
		}
		r.programs[n-1]()
		return nil
	case DoPut:
		return r.Put(in.Path, in.Value, in.Data, in.Mode, func(error) {})
	case DoFetch:
		return r.Fetch(in.Path, in.Value, func([]byte, error) {})
	case DoCut:
		return r.Cut(in.Path)
	case DoRestore:
		return r.Restore(in.Path)
	case DoPowerOn:
		return r.PowerOn(in.Path)
	case DoPowerOff:
		return r.PowerOff(in.Path)
	case DoPullPlug:
		return r.PullPlug(in.Path)
	case DoFrame, DoGateway:
		return r.Inject(in)
	case DoEvent:
		e, err := simbus.ParseEvent(in.Event)
		if err != nil {
			return err
		}
		r.Emit(e)
		return nil
	}
	return fmt.Errorf("unknown input %q", in.Do)
}
