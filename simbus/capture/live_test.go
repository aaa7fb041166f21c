package capture_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/simbus/capture"

	"github.com/gopacket/gopacket/pcapgo"
)

// stuck is a reader that takes nothing before it is let go.
type stuck struct {
	bytes.Buffer
	called chan struct{} // at the beginning of each Write
	let    chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	s.called <- struct{}{}
	<-s.let
	return s.Buffer.Write(p)
}

// TestLiveCaptureDrops: a reader that takes nothing holds nobody up; later it is
// told what it has missed, and each frame is either there or counted.
func TestLiveCaptureDrops(t *testing.T) {
	l := newLAN(t)
	out := &stuck{called: make(chan struct{}, 100), let: make(chan struct{})}
	live, err := capture.NewLive(out, capture.Config{}, []capture.Place{l.place()})
	if err != nil {
		t.Fatal(err)
	}
	<-out.called // with the file's head
	const count = 4000
	payload := strings.Repeat("x", 1486)
	sendAll := func(n int) {
		for range n {
			l.send(0, payload)
			l.advance(100 * time.Microsecond)
		}
	}
	sendAll(count)
	if l.got[1] != count {
		t.Fatalf("%d of %d frames arrived", l.got[1], count)
	}
	close(out.let)
	<-out.called // with all that was kept: there is room now
	sendAll(1)
	live.Close()
	<-live.Done()
	if n := bytes.Count(out.Bytes(), []byte("the reader was too slow")); n != 1 {
		t.Errorf("the capture says %d times that frames were dropped, want once", n)
	}
	r, err := pcapgo.NewNgReader(&out.Buffer, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	frames := 0
	for {
		_, _, err := r.ReadPacketData()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		frames++
	}
	n, err := r.Interface(0)
	if err != nil {
		t.Fatal(err)
	}
	if total := uint64(l.got[1]); n.Statistics.PacketsReceived != total || n.Statistics.PacketsDropped == 0 ||
		uint64(frames)+n.Statistics.PacketsDropped != total {
		t.Errorf("%d frames and statistics %+v, of %d", frames, n.Statistics, total)
	}
}

func TestLiveCaptureEndsWithItsReader(t *testing.T) {
	l := newLAN(t)
	r, w := io.Pipe()
	live, err := capture.NewLive(w, capture.Config{}, []capture.Place{l.portPlace(0)})
	if err != nil {
		t.Fatal(err)
	}
	r.CloseWithError(errors.New("gone"))
	<-live.Done()
	l.send(0, "nobody looks")
	l.advance(time.Millisecond)
	live.Close()
}

func TestFIFO(t *testing.T) {
	l := newLAN(t)
	path := filepath.Join(t.TempDir(), "live")
	serve := func(w io.Writer) (*capture.Live, error) {
		return capture.NewLive(w, capture.Config{}, []capture.Place{l.place()})
	}
	f, err := capture.NewFIFO(path, serve)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != os.ModeNamedPipe|0o600 {
		t.Errorf("made %v, %v, want a named pipe of its user alone", info.Mode(), err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(reader, head); err != nil || string(head) != "\n\r\r\n" {
		t.Errorf("the reader is handed %q, %v", head, err)
	}
	reader.Close()
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the pipe is still there: %v", err)
	}

	if f, err = capture.NewFIFO(path, serve); err != nil { // that nobody reads
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := capture.NewFIFO(path, serve); err == nil || !strings.Contains(err.Error(), "not a named pipe") {
		t.Errorf("over a file: %v", err)
	}
}
