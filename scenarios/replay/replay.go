// Package replay repeats a session from its record: the same appliance, given
// the same inputs at the same times, with nobody at its consoles and nothing
// behind its gateways. It compares what comes of that with the record.
package replay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/scenarios/verify"
	"backplane/simbus"
	"backplane/simbus/hostfile"
)

// Session is a recorded session.
type Session struct {
	*record.Manifest
	dir string
}

// ErrRealTime says that a session cannot be repeated.
var ErrRealTime = errors.New("it was recorded in real time, which cannot be repeated: record with --clock virtual")

// Load reads a record.
func Load(dir string) (*Session, error) {
	m, err := record.LoadManifest(dir)
	if err != nil {
		return nil, err
	}
	if !m.Virtual {
		return nil, fmt.Errorf("%s: %w", dir, ErrRealTime)
	}
	if err := plain(dir); err != nil {
		return nil, fmt.Errorf("the record %s: %w", dir, err)
	}
	s := &Session{Manifest: m, dir: dir}
	return s, s.check()
}

// plain says what of a record is neither a file nor a folder: nobody waits for a pipe.
func plain(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() { // by a link
			return nil
		}
		return hostfile.Check(path)
	})
}

// ChangedError says that what would be replayed is not what was recorded.
type ChangedError struct{ Changes []string }

func (e *ChangedError) Error() string {
	return "this run would differ from the recorded one:\n  " + strings.Join(e.Changes, "\n  ")
}

// Options say how to replay.
type Options struct {
	// Boards are those of the appliance; seed, start and such come from the record.
	Boards appliance.Options
	// Changed goes on although what runs is not what was recorded.
	Changed bool
	// Progress, if not nil, is told how far it has come.
	Progress func(simbus.Time)
}

// Result is what came of a replay.
type Result struct {
	Inputs     int
	End        simbus.Time
	Wall       time.Duration
	Difference *verify.Difference // nil if all is as recorded
	// Cut is nil, or says that the record is not whole and why: then no more than
	// what it has, up to the time Until if that is not 0, has been compared.
	Cut   *record.CutError
	Until simbus.Time
}

// reports are what a scenario's runner adds to a record: a replay has none.
var reports = []string{"report.json", "junit.xml"}

// stride is how far time goes at once, between two words about the progress.
const stride = 10 * time.Second

// Play repeats the session and records that in the folder o.Boards.Out.
func (s *Session) Play(ctx context.Context, a *boards.Appliance, o Options) (*Result, error) {
	b := o.Boards
	b.Virtual, b.Seed, b.Start, b.Detached, b.Copies = true, s.Seed, s.Start, true, true
	b.Contents = filepath.Join(s.dir, record.ContentsDir)
	a.Name = s.Name
	result := new(Result)
	if err := record.Check(s.dir); err != nil && !errors.As(err, &result.Cut) {
		return nil, err
	}
	in, file, err := s.open()
	if err != nil {
		return nil, err
	}
	defer file.Close()
	begin := time.Now()
	r, err := appliance.Start(ctx, a, b)
	if err != nil {
		return nil, err
	}
	if err := s.same(b.Out); err != nil && !o.Changed {
		return nil, errors.Join(err, r.Close())
	}
	p := &player{r: r, progress: o.Progress}
	until, err := p.play(ctx, in)
	if err == nil && !p.ended {
		if result.Cut == nil {
			result.Cut = &record.CutError{Dir: s.dir, Why: []string{record.InputsFile + " has no end"}}
		}
		if !slices.Contains(result.Cut.Short, record.InputsFile) {
			until, err = p.further(ctx, filepath.Join(s.dir, record.EventsFile))
		}
	}
	result.Inputs, result.End, result.Until = p.inputs, r.Now(), until
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, err
	}
	result.Wall = time.Since(begin)
	skip := reports
	if until > 0 {
		skip = append(skip, record.InputsFile)
	}
	result.Difference, err = verify.Comparison{Start: s.Start, Skip: skip, Until: until, Short: short(result.Cut)}.Compare(s.dir, b.Out)
	return result, err
}

// short tells which files of a record may have no more than their beginning.
func short(cut *record.CutError) func(stream string) bool {
	return func(stream string) bool {
		return cut != nil && (cut.Short == nil || slices.Contains(cut.Short, stream))
	}
}

// same tells whether what was started is what was recorded.
func (s *Session) same(other string) error {
	now, err := record.LoadManifest(other)
	if err != nil {
		return err
	}
	if changes := s.Changes(now); len(changes) > 0 {
		return &ChangedError{changes}
	}
	return nil
}

// player gives an appliance the inputs of a record.
type player struct {
	r        *appliance.Running
	progress func(simbus.Time)
	inputs   int
	ended    bool // the record of the inputs is whole
}

// play gives all inputs, each at its time, up to the end of the session. until
// is 0, or the time up to which the record is known to be whole, which is that of
// the last input if their end is missing.
func (p *player) play(ctx context.Context, from *inputs) (until simbus.Time, err error) {
	for {
		in, err := from.next()
		if err == io.EOF { // the recording program was killed
			return max(p.r.Now(), 1), nil
		}
		if err != nil {
			return 0, err
		}
		if err := p.advance(ctx, in.Time); err != nil {
			return 0, err
		}
		if in.Do == record.DoEnd {
			p.ended = true
			if in.Value == record.Interrupted {
				return max(in.Time, 1), nil
			}
			return 0, nil
		}
		p.inputs++
		_ = p.r.Apply(*in) // one that failed then fails now: what matters is what the appliance does
	}
}

func (p *player) advance(ctx context.Context, until simbus.Time) error {
	for p.r.Now() < until {
		if _, err := p.r.Advance(ctx, min(until, p.r.Now().Add(stride)), nil); err != nil {
			return err
		}
		if p.progress != nil {
			p.progress(p.r.Now())
		}
	}
	return nil
}

// further goes on to the last event that was recorded, where the inputs have no
// end: each was recorded before it was done, so that none is missing before that.
func (p *player) further(ctx context.Context, events string) (until simbus.Time, err error) {
	last, err := verify.LastTime(events)
	if err == nil && last > maxTime {
		err = fmt.Errorf("%w: %s goes on to %s", ErrRecord, record.EventsFile, last)
	}
	if err == nil {
		err = p.advance(ctx, last)
	}
	return max(last, p.r.Now(), 1), err
}
