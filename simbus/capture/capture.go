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

// Place is what a capture looks at: a link between boards, such as the switch of a
// segment, where each frame has a comment that names the port it came from; or a port of
// one, at its board's end, where each has its direction as the board sees it.
type Place struct {
	Name     string // "lan", "sensor.eth0"
	Port     bool   // it is a port
	LinkType uint8  // what a frame is, as pcapng has it: 1 for Ethernet, 227 for SocketCAN
	Tap      func(f simbus.TapFunc) (remove func())
}

// Capture writes frames as a pcapng file. It has an interface for each place it
// looks at.
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

// New captures what links take, and what ports send and receive, into w.
func New(w io.Writer, cfg Config, at []Place) (*Capture, error) {
	return newCapture(w, cfg, at, nil)
}

func newCapture(w io.Writer, cfg Config, at []Place, room func() bool) (*Capture, error) {
	if cfg.Snap <= 0 {
		cfg.Snap = math.MaxInt32
	}
	c := &Capture{cfg: cfg, room: room, out: w}
	var places []pcapgo.NgInterface
	for _, p := range at {
		what := "segment"
		if p.Port {
			what = "port"
		}
		n := pcapgo.NgInterface{Name: p.Name, Description: "Backplane " + what + " " + p.Name, Filter: cfg.Filter.String(),
			LinkType: layers.LinkType(p.LinkType), TimestampResolution: 9}
		if cfg.Snap != math.MaxInt32 {
			n.SnapLength = uint32(cfg.Snap)
		}
		places = append(places, n)
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
	for i, p := range at {
		c.remove = append(c.remove, p.Tap(func(at simbus.Time, from string, arrives bool, frame []byte, length int) {
			c.frame(i, at, frame, length, options(p.Port, from, arrives))
		}))
	}
	return c, nil
}

// options are what is known of a frame beside its bytes.
func options(port bool, from string, arrives bool) pcapgo.NgPacketOptions {
	if !port {
		return pcapgo.NgPacketOptions{Comments: []string{"from " + from}}
	}
	flags := pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound}
	if arrives {
		flags.Direction = pcapgo.NgEpbFlagDirectionInbound
	}
	return pcapgo.NgPacketOptions{Flags: &flags}
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
