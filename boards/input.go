package boards

import (
	"encoding/json"
	"fmt"

	"backplane/guest/agent"
	"backplane/simbus"
)

// Input is one thing that the outside did to an appliance in virtual time: a
// line of inputs.jsonl. The same inputs at the same times, to an appliance that
// was started alike, bring about the same.
type Input struct {
	Time  simbus.Time     `json:"t"`
	Do    string          `json:"do"`              // one of the Do constants
	Path  string          `json:"path,omitempty"`  // board, property, console, link or gateway
	Value string          `json:"value,omitempty"` // of a property; why a plug was pulled
	Job   *Job            `json:"job,omitempty"`
	Which int             `json:"which,omitempty"` // the job that it is for: the so-manieth, from 1
	Count int             `json:"count,omitempty"` // bytes of output
	Cols  uint16          `json:"cols,omitempty"`  // of a job's terminal
	Rows  uint16          `json:"rows,omitempty"`
	Data  []byte          `json:"data,omitempty"`  // typed, a job's input, or a frame
	Event json.RawMessage `json:"event,omitempty"` // an event that the outside put into the stream
}

// What an Input does.
const (
	DoSet      = "set"
	DoSend     = "send" // to a console or UART
	DoExec     = "exec" // a job: run a program
	DoPut      = "put"  // a job: write a file on a board
	DoFetch    = "fetch"
	DoInput    = "input"  // of a job; without data: its end
	DoTook     = "took"   // the outside has taken so much of a job's output
	DoResize   = "resize" // of a job's terminal
	DoCancel   = "cancel" // of a job
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

// Check says what is wrong with an input of a record, whatever the appliance is.
func (in *Input) Check() error {
	switch in.Do {
	case DoExec, DoPut, DoFetch:
		if in.Job == nil {
			return fmt.Errorf("%s without a job", in.Do)
		}
	case DoEvent:
		if _, err := simbus.ParseEvent(in.Event); err != nil {
			return err
		}
	case DoSet, DoSend, DoInput, DoTook, DoResize, DoCancel, DoCut, DoRestore, DoPowerOn, DoPowerOff, DoPullPlug, DoFrame, DoGateway, DoEnd:
	default:
		return fmt.Errorf("unknown input %.40q", in.Do)
	}
	if in.Time < 0 {
		return fmt.Errorf("the time %s is before the start", in.Time)
	}
	return nil
}

// Apply does an input again, at the present time: a replay calls it between two
// calls of Advance. An input that failed when it was recorded fails again.
func (r *Running) Apply(in Input) error {
	switch in.Do {
	case DoSet:
		return r.Set(in.Path, in.Value)
	case DoSend:
		return r.Send(in.Path, in.Data)
	case DoExec, DoPut, DoFetch:
		if in.Job == nil {
			return fmt.Errorf("%s without a job", in.Do)
		}
		job := *in.Job
		job.Do, job.Board = in.Do, in.Path
		_, err := r.Start(job, agent.Output{Done: func(agent.Status, error) {}})
		return err
	case DoInput, DoTook, DoResize, DoCancel:
		if in.Which < 1 || in.Which > r.jobs.started {
			return fmt.Errorf("%s: there is no job %d", in.Do, in.Which)
		}
		if p := r.jobs.kept[in.Which]; p != nil {
			return p.do(in)
		}
		return r.input(in, func() error { return nil }) // it has ended
	case DoCut:
		return r.Cut(in.Path)
	case DoRestore:
		return r.Restore(in.Path)
	case DoPowerOn:
		return r.PowerOn(in.Path)
	case DoPowerOff:
		return r.PowerOff(in.Path)
	case DoPullPlug:
		return r.pullPlug(in.Path, in.Value)
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
