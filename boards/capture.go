package boards

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"backplane/simbus/capture"
	"backplane/simbus/capture/filter"
	"backplane/simbus/ether"
	"backplane/simbus/hostfile"
)

// Capture is a capture of frames.
type Capture struct {
	Name   string   `toml:"name" jsonschema:"description=What the capture is called; it becomes NAME.pcapng among what is recorded"`
	At     []string `toml:"at" jsonschema:"description=Where: segments by name and ports as segment:board.port"`
	Filter string   `toml:"filter,omitempty" jsonschema:"description=Which frames: an expression as tcpdump has it"`
	Snap   int      `toml:"snap,omitempty" jsonschema:"minimum=0,maximum=65535,description=How many bytes of a frame; 0: all of it"`
	FIFO   string   `toml:"fifo,omitempty" jsonschema:"description=Instead of a file: a named pipe for Wireshark (wireshark -k -i PATH); relative to this file"`
}

func (a *Appliance) checkCaptures(links map[string]string) {
	for i := range a.Capture {
		c := &a.Capture[i]
		at := fmt.Sprintf("capture[%d]", i)
		a.unique(links, at, c.Name, "capture")
		if len(c.At) == 0 {
			a.doc.Add(at, "capture %s looks nowhere: say at = [\"SEGMENT\"] or at = [\"SEGMENT:BOARD.PORT\"]", c.Name)
		}
		for j, text := range c.At {
			if err := a.checkPlace(text); err != nil {
				a.doc.Add(fmt.Sprintf("%s.at[%d]", at, j), "%v", err)
			}
		}
		if _, err := filter.Parse(c.Filter); err != nil {
			a.doc.Add(at+".filter", "%v", err)
		}
		if c.FIFO != "" {
			a.checkFIFO(at+".fifo", c.FIFO)
		}
		if err := checkSnap(c.Snap); err != nil {
			a.doc.Add(at+".snap", "%v", err)
		}
		if err := checkPlaces(c.At); err != nil {
			a.doc.Add(at+".at", "%v", err)
		}
	}
}

// checkFIFO says what is wrong with a named pipe, which need not be there.
func (a *Appliance) checkFIFO(at, name string) {
	path := a.doc.Beside(name)
	if err := a.paths.Add(a.doc, at, name, path); err != nil {
		a.doc.Add(at, "%s: %v", path, cause(err))
		return
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeNamedPipe {
		a.doc.Add(at, "%s is %s, and must be a pipe, or not there", path, hostfile.Kind(info.Mode()))
	}
}

// maxSnap is how much of a frame a capture may be asked to keep, in bytes: the longest
// that there are.
const maxSnap = 65535

func checkSnap(snap int) error {
	if snap < 0 || snap > maxSnap {
		return fmt.Errorf("snap is %d, and must be 0 to %d bytes", snap, maxSnap)
	}
	return nil
}

// checkPlaces finds a place that is named twice: each frame would be there twice.
func checkPlaces(at []string) error {
	known := make(map[string]bool)
	for _, place := range at {
		if known[place] {
			return fmt.Errorf("%s is named twice", place)
		}
		known[place] = true
	}
	return nil
}

// CheckCapture says what is wrong with a capture, as it is said of one in a file,
// before its places are looked for.
func CheckCapture(at []string, snap int) error {
	if len(at) == 0 {
		return fmt.Errorf("say where to capture: SEGMENT or SEGMENT:BOARD.PORT")
	}
	if err := checkSnap(snap); err != nil {
		return err
	}
	return checkPlaces(at)
}

// places finds what a capture is to look at.
func (r *Running) places(at []string) (segments []*ether.Segment, ports []*ether.Port, err error) {
	for _, text := range at {
		if err := r.appliance.checkPlace(text); err != nil {
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
	if err := CheckCapture(at, snap); err != nil {
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
func (r *Running) addCapture(a *Appliance, c *Capture) error {
	if c.FIFO != "" {
		if r.opts.Detached {
			return nil
		}
		path, err := filepath.Abs(a.doc.Beside(c.FIFO))
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
