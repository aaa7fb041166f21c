package record

import (
	"encoding/json"
	"fmt"

	"backplane/simbus"
	"backplane/simbus/serial/outlet"
)

// Input is one thing that the outside did to an appliance in virtual time: a
// line of inputs.jsonl. The same inputs at the same times, to an appliance that
// was started alike, bring about the same.
type Input struct {
	Time  simbus.Time     `json:"t"`
	Do    string          `json:"do"`              // the name of an action, or one of the Do constants
	Path  string          `json:"path,omitempty"`  // the place of an action; a board or gateway
	Value string          `json:"value,omitempty"` // of an action
	Job   *Job            `json:"job,omitempty"`
	Which int             `json:"which,omitempty"` // the job that it is for: its number, counted from 1
	Count int             `json:"count,omitempty"` // bytes of output
	Cols  uint16          `json:"cols,omitempty"`  // of a job's terminal
	Rows  uint16          `json:"rows,omitempty"`
	Data  []byte          `json:"data,omitempty"`  // of an action, a job's input, or a frame
	Event json.RawMessage `json:"event,omitempty"` // an event that the outside put into the stream
}

// What an Input does that is no action.
const (
	DoExec    = "exec" // a job: run a program
	DoPut     = "put"  // a job: write a file on a board
	DoFetch   = "fetch"
	DoInput   = "input"   // of a job; without data: its end
	DoTook    = "took"    // the outside has taken so much of a job's output
	DoResize  = "resize"  // of a job's terminal
	DoCancel  = "cancel"  // of a job
	DoFrame   = "frame"   // a frame comes in through a gateway
	DoGateway = "gateway" // something happened at a gateway
	DoSerial  = "serial"  // a program on the host did something to a serial port's line
	DoEvent   = "event"   // a scenario's step
	DoEnd     = "end"     // the appliance was ended; Value says if it was interrupted
)

// Interrupted is the Value of a DoEnd if the appliance did not stand still then,
// so that what was recorded last need not be all that happened until then.
const Interrupted = "interrupted"

// Check says what is wrong with an input of a record, whatever it does.
func (in *Input) Check() error {
	switch in.Do {
	case DoExec, DoPut, DoFetch:
		if in.Job == nil {
			return fmt.Errorf("%s without a job", in.Do)
		}
	case DoSerial:
		if _, err := outlet.ParseAct(in.Value, in.Data); err != nil {
			return err
		}
	case DoEvent:
		if _, err := simbus.ParseEvent(in.Event); err != nil {
			return err
		}
	}
	if in.Time < 0 {
		return fmt.Errorf("the time %s is before the start", in.Time)
	}
	return nil
}

// InputLog writes inputs to a file, a JSON object a line. A nil InputLog takes
// everything and keeps nothing.
type InputLog struct{ f *File }

// Inputs makes inputs.jsonl; nil if nothing is recorded.
func (rec *Writer) Inputs() (*InputLog, error) {
	f, err := rec.File(InputsFile)
	if f == nil || err != nil {
		return nil, err
	}
	f.lines = true
	return &InputLog{f}, nil
}

// Add writes an input down. Call it before the input is done, so that none is missing if
// that is the end.
func (l *InputLog) Add(in *Input) {
	if l == nil {
		return
	}
	line, err := json.Marshal(in)
	if err != nil {
		l.f.Abandon(err)
		return
	}
	_, _ = l.f.Write(append(line, '\n'))
}
