package simbus

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Capture writes the frames of a segment as a pcapng file. Each frame has a
// comment that names the port it came from; its time counts from the
// appliance's start.
type Capture struct {
	mu    sync.Mutex
	w     *pcapgo.NgWriter
	epoch time.Time
	err   error
}

// NewCapture captures the segment's frames into w. epoch is the wall-clock time
// at Time 0. Call it before anything is sent.
func (s *Segment) NewCapture(w io.Writer, epoch time.Time) (*Capture, error) {
	ng, err := pcapgo.NewNgWriterInterface(w, pcapgo.NgInterface{
		Name: s.name, Description: "Backplane segment " + s.name, LinkType: layers.LinkTypeEthernet, TimestampResolution: 9,
	}, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "Backplane"}})
	if err != nil {
		return nil, fmt.Errorf("capture segment %s: %w", s.name, err)
	}
	c := &Capture{w: ng, epoch: epoch}
	s.Tap(c.frame)
	return c, nil
}

func (c *Capture) frame(at Time, from, _ *Port, frame []byte, length int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = c.w.WritePacketWithOptions(gopacket.CaptureInfo{
		Timestamp: c.epoch.Add(time.Duration(at)), CaptureLength: len(frame), Length: length,
	}, frame, pcapgo.NgPacketOptions{Comments: []string{"from " + from.name}})
}

// Close writes out what is still in memory. The error is the first that there was.
func (c *Capture) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.w.Flush(); c.err == nil {
		c.err = err
	}
	return c.err
}
