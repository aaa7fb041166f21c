package scenarios

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"backplane/boards"
	"backplane/simbus"
)

// How long boards may take to power off at the end, in the appliance's time, and
// how long that may take on the host.
const (
	powerOffLimit = 5 * time.Second
	shutDownLimit = 20 * time.Second
)

// Play boots an appliance, plays the scenario on it and shuts it down. With a
// folder in o.Out it writes the reports there, beside what the appliance
// records. The error is about the machine; what becomes of the scenario is in
// the report.
func Play(ctx context.Context, s *Scenario, a *boards.Appliance, o boards.Options, onStep func(StepResult)) (*Report, error) {
	seen := Recorder{Tolerant: s.GuestLoss == LossContinues}
	if s.Stall > 0 {
		o.StallLimit = time.Duration(s.Stall)
	}
	o.Events = append([]func(*simbus.Event){seen.Event}, o.Events...)
	r, err := boards.Start(ctx, a, o)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	report := Run(ctx, r, s, Options{Recorder: &seen, OnStep: onStep})
	report.Wall, report.Seed, report.Clock = time.Since(begin), o.Seed, Real
	if o.Virtual {
		report.Clock = Virtual
	}
	if ctx.Err() == nil {
		end, cancel := context.WithTimeout(context.Background(), shutDownLimit)
		defer cancel()
		r.ShutDown(end, powerOffLimit)
	}
	err = r.Close()
	if o.Out != "" {
		err = errors.Join(err, report.write(o.Out))
	}
	return report, err
}

// write writes the reports into a folder.
func (r *Report) write(dir string) error {
	var j, x bytes.Buffer
	if err := errors.Join(r.WriteJSON(&j), r.WriteJUnit(&x)); err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "report.json"), j.Bytes(), 0o644),
		os.WriteFile(filepath.Join(dir, "junit.xml"), x.Bytes(), 0o644))
}
