package capture_test

import (
	"bytes"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"backplane/simbus"
	"backplane/simbus/capture"
	"backplane/simbus/ether"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// TestCapture has Go's reader, and tcpdump, read what is captured.
func TestCapture(t *testing.T) {
	l := newLAN(t)
	var file bytes.Buffer
	epoch := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c, err := capture.New(&file, capture.Config{Epoch: epoch}, []capture.Place{l.place()})
	if err != nil {
		t.Fatal(err)
	}
	l.advance(time.Millisecond)
	l.send(1, "payload")
	l.advance(time.Millisecond)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(file.Bytes()), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	data, info, err := r.ReadPacketData()
	if err != nil || !bytes.HasSuffix(data, []byte("payload")) {
		t.Fatalf("read %q, %v", data, err)
	}
	if want := epoch.Add(time.Millisecond + ether.DefaultLatency/2); !info.Timestamp.Equal(want) {
		t.Errorf("captured at %s, want %s", info.Timestamp, want)
	}
	if !bytes.Contains(file.Bytes(), []byte("from b1.eth0")) {
		t.Error("no comment names the port")
	}
	if _, _, err := r.ReadPacketData(); err != io.EOF {
		t.Errorf("after the only frame: %v", err)
	}
	cmd := exec.Command("tcpdump", "-r", "-", "-e", "-n")
	cmd.Stdin = &file
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "02:00:00:00:00:01 > 02:00:00:00:00:00") {
		t.Errorf("tcpdump: %v\n%s", err, out)
	}
}

// TestLinkTypes captures frames of two kinds of links in one file: each has its own type.
func TestLinkTypes(t *testing.T) {
	var file bytes.Buffer
	taps := make(map[string]simbus.TapFunc)
	place := func(name string, linkType uint8) capture.Place {
		return capture.Place{Name: name, LinkType: linkType, Tap: func(f simbus.TapFunc) func() {
			taps[name] = f
			return func() { delete(taps, name) }
		}}
	}
	c, err := capture.New(&file, capture.Config{}, []capture.Place{place("lan", 1), place("bus", 227)})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]layers.LinkType{"ethernet": layers.LinkTypeEthernet, "socketcan": 227}
	taps["bus"](1, "a.can0", false, []byte("socketcan"), 9)
	taps["lan"](2, "a.eth0", false, []byte("ethernet"), 8)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if len(taps) > 0 {
		t.Errorf("%d taps are left", len(taps))
	}
	r, err := pcapgo.NewNgReader(&file, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		t.Fatal(err)
	}
	for range want {
		data, info, err := r.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		if i, err := r.Interface(info.InterfaceIndex); err != nil || i.LinkType != want[string(data)] {
			t.Errorf("%q has the link type %d, %v", data, i.LinkType, err)
		}
	}
}
