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
			place, err := a.SegmentPlace(text)
			if err == nil {
				err = place.checkFilter(c.Filter)
			}
			if err != nil {
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

// checkFilter says why a capture there can have no filter.
func (p Place) checkFilter(filter string) error {
	if filter != "" && p.Link.network() == nil {
		return fmt.Errorf("%s is no Ethernet, whose frames a filter is for", p)
	}
	return nil
}

// CapturePlaces finds where a capture looks, and says what is wrong with that.
func (a *Appliance) CapturePlaces(at []string, filter string) ([]Place, error) {
	list := make([]Place, len(at))
	for i, name := range at {
		var err error
		if list[i], err = a.SegmentPlace(name); err == nil {
			err = list[i].checkFilter(filter)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
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
