package appliance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"backplane/boards"
	"backplane/simbus"
	"backplane/simbus/capture"
	"backplane/simbus/capture/filter"
)

// sights are places as a capture looks at them.
func (r *Running) sights(at []boards.Place) (list []capture.Place) {
	for _, p := range at {
		s := capture.Place{Name: p.Link.Name, LinkType: p.Link.Kind.LinkType,
			Tap: func(f simbus.TapFunc) (remove func()) { return r.segment(p.Link).Tap(p.Port, f) }}
		if p.Port != "" {
			s.Name, s.Port = p.Port, true
		}
		list = append(list, s)
	}
	return list
}

// Capture begins a live capture of segments ("lan") and ports ("lan:sensor.eth0")
// into w, as [capture.Live] has it: w may be slow.
func (r *Running) Capture(at []string, expression string, snap int, w io.Writer) (*capture.Live, error) {
	if err := boards.CheckCapture(at, snap); err != nil {
		return nil, err
	}
	places, err := r.appliance.CapturePlaces(at, expression)
	if err != nil {
		return nil, err
	}
	f, err := filter.Parse(expression)
	if err != nil {
		return nil, err
	}
	return r.live(places, f, snap, w)
}

func (r *Running) live(at []boards.Place, f *filter.Filter, snap int, w io.Writer) (*capture.Live, error) {
	return capture.NewLive(w, capture.Config{Epoch: r.epoch, Filter: f, Snap: snap}, r.sights(at))
}

// addCapture begins one of the captures that the appliance's file asks for.
func (r *Running) addCapture(a *boards.Appliance, c *boards.Capture) error {
	if c.FIFO != "" {
		if r.opts.Detached {
			return nil
		}
		path, err := filepath.Abs(a.Beside(c.FIFO))
		if err != nil {
			return err
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) { // else it is not made here
			r.dir.Also(path)
		}
		f, err := capture.NewFIFO(path, func(w io.Writer) (*capture.Live, error) {
			return r.live(c.Places, c.Frames, c.Snap, w)
		})
		if err != nil {
			return fmt.Errorf("capture %s: %w", c.Name, err)
		}
		r.captures = append(r.captures, f)
		return nil
	}
	if r.opts.Out == "" {
		return nil
	}
	return r.recordCapture(c.Name, capture.Config{Epoch: r.epoch, Filter: c.Frames, Snap: c.Snap}, c.Places)
}

// recordCapture lets a pcapng file be written, if there is a record.
func (r *Running) recordCapture(name string, cfg capture.Config, at []boards.Place) error {
	w, err := r.record.File(name + ".pcapng")
	if w == nil || err != nil {
		return err
	}
	c, err := capture.New(w, cfg, r.sights(at))
	if err == nil {
		r.captures = append(r.captures, c)
		r.record.Flushed(c.Flush)
	}
	return err
}
