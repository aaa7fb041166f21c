package boards

import (
	"fmt"
	"io/fs"
	"os"

	"backplane/simbus/capture/filter"
	"backplane/simbus/hostfile"
)

// Capture is a capture of frames.
type Capture struct {
	Name   string   `toml:"name" jsonschema:"description=Name of the capture; the record has it as NAME.pcapng"`
	At     []string `toml:"at" jsonschema:"description=Where to capture: segments by name and ports as segment:board.port"`
	Filter string   `toml:"filter,omitempty" jsonschema:"description=Which frames to capture: a tcpdump expression"`
	Snap   int      `toml:"snap,omitempty" jsonschema:"minimum=0,maximum=65535,description=Bytes to capture of each frame; 0: the whole frame"`
	FIFO   string   `toml:"fifo,omitempty" jsonschema:"description=Instead of a file: a named pipe for Wireshark (wireshark -k -i PATH); relative to this file"`

	Places []Place        `toml:"-" json:"-"` // what At leads to, once it was checked
	Frames *filter.Filter `toml:"-" json:"-"` // what Filter says
}

func (a *Appliance) checkCaptures(links map[string]string) {
	for i := range a.Capture {
		c := &a.Capture[i]
		at := fmt.Sprintf("capture[%d]", i)
		a.unique(links, at, c.Name, "capture")
		if len(c.At) == 0 {
			a.doc.Add(at, "capture %s has no place: write at = [\"SEGMENT\"] or at = [\"SEGMENT:BOARD.PORT\"]", c.Name)
		}
		for j, text := range c.At {
			place, err := a.capturePlace(text, c.Filter)
			if err != nil {
				a.doc.Add(fmt.Sprintf("%s.at[%d]", at, j), "%v", err)
			}
			c.Places = append(c.Places, place)
		}
		var err error
		if c.Frames, err = filter.Parse(c.Filter); err != nil {
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
		a.doc.Add(at, "%s: %v", path, hostfile.Cause(err))
		return
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != fs.ModeNamedPipe {
		a.doc.Add(at, "%s is %s; it must be a pipe, or absent", path, hostfile.Kind(info.Mode()))
	}
}

// maxSnap is how much of a frame a capture may be asked to keep, in bytes: the longest
// that there are.
const maxSnap = 65535

func checkSnap(snap int) error {
	if snap < 0 || snap > maxSnap {
		return fmt.Errorf("snap is %d; it must be 0 to %d bytes", snap, maxSnap)
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

// capturePlace finds where a capture looks, and says why it can have no filter there.
func (a *Appliance) capturePlace(name, filter string) (Place, error) {
	p, err := a.SegmentPlace(name)
	if err == nil && filter != "" && p.Link.network() == nil {
		err = fmt.Errorf("%s is not Ethernet; only Ethernet frames can be filtered", p)
	}
	return p, err
}

// CapturePlaces finds where a capture looks, and says what is wrong with that.
func (a *Appliance) CapturePlaces(at []string, filter string) ([]Place, error) {
	list := make([]Place, len(at))
	for i, name := range at {
		var err error
		if list[i], err = a.capturePlace(name, filter); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// CheckCapture says what is wrong with a capture, as it is said of one in a file,
// before its places are looked for.
func CheckCapture(at []string, snap int) error {
	if len(at) == 0 {
		return fmt.Errorf("name where to capture: SEGMENT or SEGMENT:BOARD.PORT")
	}
	if err := checkSnap(snap); err != nil {
		return err
	}
	return checkPlaces(at)
}
