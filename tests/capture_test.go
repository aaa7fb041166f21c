package tests

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"backplane/simbus"
	"backplane/simbus/ether"
	"backplane/tests/guesttest"

	"github.com/gopacket/gopacket/pcapgo"
)

// TestCaptures has tcpdump and Go read what three captures of one ping say: the
// segment's own, a port's with a filter and cut short, and a live one.
func TestCaptures(t *testing.T) {
	root := guesttest.Rootfs(t, "/usr/bin/ping")
	o := guesttest.Options{Seed: 1, Out: t.TempDir()}
	fifo := filepath.Join(t.TempDir(), "live")
	app := guesttest.Run(t, pair(root, fmt.Sprintf(`
[[capture]]
name = "echo"
at = ["lan:b2.eth0", "lan:b1.eth0"]
filter = "icmp and host 10.0.0.2"
snap = 42
[[capture]]
name = "live"
at = ["lan"]
filter = "not ip6"
fifo = %q
`, fifo)), o)

	live := exec.Command("tcpdump", "-n", "-e", "-l", "-r", fifo)
	out, err := live.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := live.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := live.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "EN10MB") {
		t.Fatalf("tcpdump begins with %q, %v", line, err) // it has read the beginning: it sees all that comes
	}
	app.Do("b1", "/usr/bin/ping", "-c", "5", "-i", "0.01", "10.0.0.2")
	var frames []simbus.Event
	arps := 0
	for _, e := range app.Events() {
		if e.Kind == ether.KindFrame {
			frames = append(frames, e)
			if s, _ := e.Get("summary"); strings.Contains(strings.ToLower(s), "arp") {
				arps++
			}
		}
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := live.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "ICMP echo"); n != 10 || strings.Count(string(text), "ARP") != arps || arps == 0 {
		t.Errorf("the live capture has %d echos, want 10, and %d ARPs:\n%s", n, arps, text)
	}
	if _, err := os.Stat(fifo); !os.IsNotExist(err) {
		t.Errorf("the named pipe is still there: %v", err)
	}

	// The segment's own: each frame of the event stream, at its nanosecond.
	r := openCapture(t, filepath.Join(o.Out, "lan.pcapng"))
	for i, e := range frames {
		_, info, err := r.ReadPacketData()
		if err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		length, _ := e.Get("length")
		if at := guesttest.Start.Add(e.Time.Sub(0)); !info.Timestamp.Equal(at) || fmt.Sprint(info.Length) != length {
			t.Errorf("frame %d is captured at %s with %d bytes, want %s and %s", i, info.Timestamp, info.Length, at, length)
		}
	}
	if _, _, err := r.ReadPacketData(); err != io.EOF {
		t.Errorf("after %d frames: %v", len(frames), err)
	}

	// The ports': each echo at both ends, in both directions, with its first 42 bytes.
	file := filepath.Join(o.Out, "echo.pcapng")
	r = openCapture(t, file)
	var seen [2]int
	for {
		data, info, err := r.ReadPacketData()
		if err == io.EOF {
			break
		}
		if err != nil || len(data) != 42 || info.Length != 98 {
			t.Fatalf("%d bytes of %d, %v", len(data), info.Length, err)
		}
		seen[info.InterfaceIndex]++
	}
	if seen != [2]int{10, 10} {
		t.Errorf("%v echos at the two ports, want 10 each", seen)
	}
	for i, want := range []string{"lan:b2", "lan:b1"} {
		if n, err := r.Interface(i); err != nil || n.Name != want[4:]+".eth0" || n.Filter != "icmp and host 10.0.0.2" {
			t.Errorf("interface %d is %+v, %v", i, n, err)
		}
	}
	dump, err := exec.Command("tcpdump", "-n", "-r", file).Output()
	if n := strings.Count(string(dump), "ICMP echo"); err != nil || n != 20 {
		t.Errorf("tcpdump sees %d echos, want 20: %v\n%s", n, err, dump)
	}
}

func openCapture(t *testing.T, path string) *pcapgo.NgReader {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	r, err := pcapgo.NewNgReader(f, pcapgo.NgReaderOptions{WantMixedLinkType: false})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
