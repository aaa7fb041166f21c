package capture

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"backplane/simbus"
	"backplane/simbus/capture/filter"
	"backplane/simbus/ether"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Config says what of a place a capture keeps.
type Config struct {
	Epoch  time.Time      // the wall-clock time at Time 0
	Filter *filter.Filter // nil: all frames
	Snap   int            // how much of a frame, in bytes; 0: all of it
}

// Capture writes frames as a pcapng file. It has an interface for each place it
// looks at: a segment, at its switch, where each frame has a comment that names
// the port it came from; or a port, at its board's end, where each has its
// direction as the board sees it.
type Capture struct {
	cfg    Config
	remove []func()

	mu     sync.Mutex
	out    io.Writer
	blocks bytes.Buffer     // whole blocks that out has not had yet
	w      *pcapgo.NgWriter // into blocks
	seen   []pcapgo.NgInterfaceStatistics
	last   time.Time
	err    error
	closed bool
	room   func() bool // nil: there always is; otherwise whether the next frame may be written
	lost   []uint64    // of each interface, since its last frame
}

// New captures what segments take, and what ports send and receive, into w.
func New(w io.Writer, cfg Config, segments []*ether.Segment, ports []*ether.Port) (*Capture, error) {
	return newCapture(w, cfg, segments, ports, nil)
}

func newCapture(w io.Writer, cfg Config, segments []*ether.Segment, ports []*ether.Port, room func() bool) (*Capture, error) {
	if cfg.Snap <= 0 {
		cfg.Snap = math.MaxInt32
	}
	c := &Capture{cfg: cfg, room: room, out: w}
	var places []pcapgo.NgInterface
	add := func(name, what string) {
		n := pcapgo.NgInterface{Name: name, Description: "Backplane " + what + " " + name, Filter: cfg.Filter.String(),
			LinkType: layers.LinkTypeEthernet, TimestampResolution: 9}
		if cfg.Snap != math.MaxInt32 {
			n.SnapLength = uint32(cfg.Snap)
		}
		places = append(places, n)
	}
	for _, s := range segments {
		add(s.Name(), "segment")
	}
	for _, p := range ports {
		add(p.Name(), "port")
	}
	var err error
	for i, n := range places {
		if i == 0 {
			c.w, err = pcapgo.NewNgWriterInterface(&c.blocks, n, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "Backplane"}})
		} else {
			_, err = c.w.AddInterface(n)
		}
		if err != nil {
			return nil, fmt.Errorf("capture %s: %w", n.Name, err)
		}
	}
	if err := c.w.Flush(); err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	c.seen, c.lost = make([]pcapgo.NgInterfaceStatistics, len(places)), make([]uint64, len(places))
	for i, s := range segments {
		c.remove = append(c.remove, s.Tap(func(at simbus.Time, from, _ *ether.Port, frame []byte, length int) {
			c.frame(i, at, frame, length, pcapgo.NgPacketOptions{Comments: []string{"from " + from.Name()}})
		}))
	}
	for j, p := range ports {
		i := len(segments) + j
		c.remove = append(c.remove, p.Tap(func(at simbus.Time, from, to *ether.Port, frame []byte, length int) {
			flags := pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound}
			if to != nil {
				flags.Direction = pcapgo.NgEpbFlagDirectionInbound
			}
			c.frame(i, at, frame, length, pcapgo.NgPacketOptions{Flags: &flags})
		}))
	}
	return c, nil
}

func (c *Capture) frame(i int, at simbus.Time, frame []byte, length int, o pcapgo.NgPacketOptions) {
	if !c.cfg.Filter.Keep(frame, length) {
		return
	}
	frame = frame[:min(len(frame), c.cfg.Snap)]
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil || c.closed {
		return
	}
	c.last = c.cfg.Epoch.Add(time.Duration(at))
	c.seen[i].PacketsReceived++
	if c.room != nil && !c.room() {
		c.seen[i].PacketsDropped++
		c.lost[i]++
		return
	}
	if n := c.lost[i]; n > 0 {
		c.lost[i] = 0
		o.DropCount = &n
		o.Comments = append(o.Comments, fmt.Sprintf("%d frames before this one were dropped: the reader was too slow", n))
	}
	c.err = c.w.WritePacketWithOptions(gopacket.CaptureInfo{
		Timestamp: c.last, CaptureLength: len(frame), Length: length, InterfaceIndex: i,
	}, frame, o)
	if c.err == nil {
		c.err = c.w.Flush()
	}
	if c.room != nil || c.blocks.Len() >= bufferSize {
		c.write()
	}
}

// bufferSize is how much is written at once, in bytes.
const bufferSize = 64 << 10

// write writes out what is in memory, always whole blocks. The caller holds the lock.
func (c *Capture) write() {
	if c.err == nil && c.blocks.Len() > 0 {
		_, c.err = c.out.Write(c.blocks.Bytes())
	}
	c.blocks.Reset()
}

// Flush writes out what is in memory.
func (c *Capture) Flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.closed {
		c.write()
	}
}

// Close ends the capture and writes out what is still in memory, with each
// interface's count of frames. The error is the first that there was.
func (c *Capture) Close() error {
	for _, f := range c.remove {
		f()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return c.err
	}
	c.closed = true
	for i, s := range c.seen {
		s.LastUpdate = c.last
		if c.last.IsZero() {
			s.LastUpdate = c.cfg.Epoch
		}
		if c.err == nil {
			c.err = c.w.WriteInterfaceStats(i, s)
		}
	}
	if err := c.w.Flush(); c.err == nil {
		c.err = err
	}
	c.write()
	return c.err
}
