package appliance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"backplane/boards"
	"backplane/simbus/capture"
	"backplane/simbus/capture/filter"
	"backplane/simbus/ether"
)

// places finds what a capture is to look at.
func (r *Running) places(at []string) (segments []*ether.Segment, ports []*ether.Port, err error) {
	for _, text := range at {
		if err := r.appliance.CheckPlace(text); err != nil {
			return nil, nil, err
		}
		segment, port, isPort := strings.Cut(text, ":")
		if n := r.net(segment); isPort {
			ports = append(ports, n.ports[port].port)
		} else {
			segments = append(segments, n.seg)
		}
	}
	return segments, ports, nil
}

// Capture begins a live capture of segments ("lan") and ports ("lan:sensor.eth0")
// into w, as [capture.Live] has it: w may be slow.
func (r *Running) Capture(at []string, expression string, snap int, w io.Writer) (*capture.Live, error) {
	if err := boards.CheckCapture(at, snap); err != nil {
		return nil, err
	}
	segments, ports, err := r.places(at)
	if err != nil {
		return nil, err
	}
	f, err := filter.Parse(expression)
	if err != nil {
		return nil, err
	}
	return capture.NewLive(w, capture.Config{Epoch: r.epoch, Filter: f, Snap: snap}, segments, ports)
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
			return r.Capture(c.At, c.Filter, c.Snap, w)
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
	segments, ports, err := r.places(c.At)
	if err != nil {
		return err
	}
	f, err := filter.Parse(c.Filter)
	if err != nil {
		return err
	}
	return r.recordCapture(c.Name, capture.Config{Epoch: r.epoch, Filter: f, Snap: c.Snap}, segments, ports)
}

// recordCapture lets a pcapng file be written, if there is a record.
func (r *Running) recordCapture(name string, cfg capture.Config, segments []*ether.Segment, ports []*ether.Port) error {
	w, err := r.record.File(name + ".pcapng")
	if w == nil || err != nil {
		return err
	}
	c, err := capture.New(w, cfg, segments, ports)
	if err == nil {
		r.captures = append(r.captures, c)
		r.record.Flushed(c.Flush)
	}
	return err
}
