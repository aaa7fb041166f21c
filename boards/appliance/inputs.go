package appliance

import (
	"fmt"

	"backplane/boards/record"
	"backplane/guest/agent"
	"backplane/simbus"
)

// input does what the outside wants done, and records it. In virtual time no
// time passes meanwhile.
func (r *Running) input(in record.Input, do func() error) error {
	if !r.opts.Virtual {
		return do()
	}
	r.outside.Lock()
	defer r.outside.Unlock()
	in.Time = r.cal.Now()
	r.inputs.Add(&in)
	return do()
}

// Apply does an input again, at the present time: a replay calls it between two
// calls of Advance. An input that failed when it was recorded fails again.
func (r *Running) Apply(in record.Input) error {
	if k, ok := FindAction(in.Do); ok {
		return r.Do(Action{Kind: k, Place: in.Path, Value: in.Value, Data: in.Data})
	}
	switch in.Do {
	case record.DoExec, record.DoPut, record.DoFetch:
		if in.Job == nil {
			return fmt.Errorf("%s without a job", in.Do)
		}
		job := *in.Job
		job.Do, job.Board = in.Do, in.Path
		_, err := r.Start(job, agent.Output{Done: func(agent.Status, error) {}})
		return err
	case record.DoInput, record.DoTook, record.DoResize, record.DoCancel:
		if in.Which < 1 || in.Which > r.jobs.started {
			return fmt.Errorf("%s: there is no job %d", in.Do, in.Which)
		}
		if p := r.jobs.kept[in.Which]; p != nil {
			return p.do(in)
		}
		return r.input(in, func() error { return nil }) // it has ended
	case record.DoFrame, record.DoGateway:
		return r.Inject(in)
	case record.DoSerial:
		return r.actAgain(in)
	case record.DoEvent:
		e, err := simbus.ParseEvent(in.Event)
		if err != nil {
			return err
		}
		r.Emit(e)
		return nil
	}
	return fmt.Errorf("unknown input %q", in.Do)
}
