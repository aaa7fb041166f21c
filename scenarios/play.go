package scenarios

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/simbus"
	"backplane/simbus/awake"
)

// shutDownSlack is how much more of the host's time boards may take to power off at the
// end than of their own: they are not to be cut short since the host is slow.
const shutDownSlack = 20 * time.Second

// Play boots an appliance, plays the scenario on it and shuts it down. With a
// folder in o.Out it writes the reports there, beside what the appliance
// records. p has no Recorder yet. The error is about the machine; what becomes of the
// scenario is in the report.
func Play(ctx context.Context, s *Scenario, a *boards.Appliance, o appliance.Options, p Options) (*Report, error) {
	seen := s.Recorder()
	p.Recorder = seen
	if s.Stall > 0 {
		o.StallLimit = time.Duration(s.Stall)
	}
	o.Events = append([]func(*simbus.Event){seen.Event}, o.Events...)
	if err := noReports(o.Out); err != nil {
		return nil, err
	}
	r, err := appliance.Start(ctx, a, o)
	if err != nil {
		return nil, err
	}
	end := func() {}
	if p.OnStart != nil {
		if end, err = p.OnStart(r); err != nil {
			return nil, errors.Join(err, r.Close())
		}
	}
	begin := time.Now()
	limited, cancel := s.limit(ctx, r)
	report := Run(limited, r, s, p)
	over := limited.Err() != nil
	cancel()
	report.Wall, report.Seed, report.Clock = time.Since(begin), o.Seed, Real
	if o.Virtual {
		report.Clock = Virtual
	}
	if !over { // else what is left of the host's time is for what was recorded
		r.ShutDown(ctx, time.Now().Add(shutDownSlack))
	}
	end()
	err = r.CloseWith(report.files)
	var cut *record.CutError
	if errors.As(err, &cut) && report.Passed() { // the reports themselves are missing, or the mark
		report.incomplete(cut)
	}
	return report, err
}

// Recorder is a new one, to which lost boards are what they are to the scenario.
func (s *Scenario) Recorder() *Recorder {
	r := &Recorder{Tolerant: s.GuestLoss == LossContinues}
	if len(s.player) > 0 {
		r.other = &Recorder{Tolerant: true}
	}
	return r
}

// limit is the context of a run that may take only so much of the host's time, while this
// program runs. Its cause says what the appliance was doing with it.
func (s *Scenario) limit(ctx context.Context, r *appliance.Running) (context.Context, func()) {
	if s.HostLimit <= 0 {
		return ctx, func() {}
	}
	limited, end := context.WithCancelCause(ctx)
	stop := awake.AfterFunc(time.Duration(s.HostLimit), func() {
		why := fmt.Sprintf("the host_limit of %s is over, at %s of the appliance's time", time.Duration(s.HostLimit), r.Now())
		if doing := r.Doing(); doing != "" {
			why += ": " + doing
		}
		end(errors.New(why))
	})
	return limited, func() { stop(); end(nil) }
}

// files are the reports for a record, which may be cut.
func (r *Report) files(cut error) (map[string][]byte, error) {
	if cut != nil {
		r.incomplete(cut)
	}
	var j, x bytes.Buffer
	err := errors.Join(r.WriteJSON(&j), r.WriteJUnit(&x))
	return map[string][]byte{reportFile: j.Bytes(), junitFile: x.Bytes()}, err
}

// Names of the reports in a record.
const (
	reportFile = "report.json"
	junitFile  = "junit.xml"
)

// noReports removes those of an earlier run from a folder: they say nothing of one
// that has no end.
func noReports(dir string) error {
	if dir == "" {
		return nil
	}
	for _, name := range []string{reportFile, junitFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
