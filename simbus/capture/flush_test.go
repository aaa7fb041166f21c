package capture_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"backplane/simbus/capture"

	"github.com/gopacket/gopacket/pcapgo"
)

// pieces is a file that is looked at after each write.
type pieces struct {
	t *testing.T
	bytes.Buffer
	frames int // that are in it
}

func (p *pieces) Write(b []byte) (int, error) {
	n, err := p.Buffer.Write(b)
	r, e := pcapgo.NewNgReader(bytes.NewReader(p.Bytes()), pcapgo.DefaultNgReaderOptions)
	if e != nil {
		p.t.Errorf("its head is not whole: %v", e)
		return n, err
	}
	for p.frames = 0; ; p.frames++ {
		if _, _, e := r.ReadPacketData(); e == io.EOF {
			return n, err
		} else if e != nil {
			p.t.Errorf("after %d frames, the rest of %d bytes is not whole: %v", p.frames, p.Len(), e)
			return n, err
		}
	}
}

// TestCaptureWritesWholeFrames: whatever is written of a capture ends with a whole
// frame, also where that is longer than a buffer, and Flush leaves none out.
func TestCaptureWritesWholeFrames(t *testing.T) {
	l := newLAN(t)
	out := &pieces{t: t}
	c, err := capture.New(out, capture.Config{}, []capture.Place{l.place()})
	if err != nil {
		t.Fatal(err)
	}
	const count = 300
	for i := range count {
		l.send(0, strings.Repeat("x", 5*(i+1)%1400))
		l.advance(100 * time.Microsecond)
		if i == 7 {
			c.Flush()
			if out.frames != 8 {
				t.Errorf("flushed after 8 frames, the file has %d", out.frames)
			}
		}
	}
	if out.frames == count || out.frames < 100 {
		t.Errorf("before the end the file has %d of %d frames", out.frames, count)
	}
	if err := c.Close(); err != nil || out.frames != count {
		t.Errorf("at the end it has %d, %v", out.frames, err)
	}
}
