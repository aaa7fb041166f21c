package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"backplane/simbus/ether"
	"backplane/tests/guesttest"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// netCount reads a counter or setting.
func netCount(t *testing.T, app *guesttest.App, path string) int {
	t.Helper()
	n, err := strconv.Atoi(app.MustGet(path))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// tcpdump captures IPv4 and ARP in a guest until stop is called, which returns the file.
func tcpdump(app *guesttest.App, t *testing.T, board string) (stop func() []captured) {
	t.Helper()
	c := app.StartCommand(board, "/bin/sh", "-c", "echo $$ > /tmp/tcpdump.pid; exec tcpdump -Z root -n -B 16384 -s 0 -U --time-stamp-precision=nano -i eth0 -w /tmp/capture arp or ip")
	app.Sleep(500 * time.Millisecond)
	return func() []captured {
		t.Helper()
		app.Sleep(2 * time.Second) // tcpdump is given what was captured once in a second
		app.Sh(board, "kill -INT $(cat /tmp/tcpdump.pid) || true")
		if r := c.Wait(); !strings.Contains(r.Stderr, "\n0 packets dropped by kernel") {
			t.Fatalf("tcpdump on %s ended with %d: %s", board, r.Status, r.Stderr)
		}
		var data []byte
		done := false
		if err := app.Fetch(board, "/tmp/capture", func(b []byte, err error) {
			if data, done = b, true; err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
		for !done {
			app.Sleep(time.Millisecond)
		}
		r, err := pcapgo.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		return frames(t, r.ReadPacketData)
	}
}

// captured is a frame in a capture.
type captured struct {
	at   time.Time
	data []byte
}

func frames(t *testing.T, read func() ([]byte, gopacket.CaptureInfo, error)) (list []captured) {
	t.Helper()
	for {
		data, info, err := read()
		if err != nil {
			return list
		}
		if info.Length != len(data) {
			t.Fatalf("a frame of %d bytes was cut short to %d", info.Length, len(data))
		}
		list = append(list, captured{info.Timestamp, data})
	}
}

// from picks the frames of IPv4 and ARP that a board has sent, as they are on the
// wire: a guest that captures its own short frames has them without padding.
func from(list []captured, mac string) (picked []captured) {
	for _, f := range list {
		p := gopacket.NewPacket(f.data, layers.LayerTypeEthernet, gopacket.NoCopy)
		eth, ok := p.LinkLayer().(*layers.Ethernet)
		if ok && eth.SrcMAC.String() == mac && (eth.EthernetType == layers.EthernetTypeIPv4 || eth.EthernetType == layers.EthernetTypeARP) {
			if short := shortest - len(f.data); short > 0 {
				f.data = append(bytes.Clone(f.data), make([]byte, short)...)
			}
			picked = append(picked, f)
		}
	}
	return picked
}

// tcpPayload is what a frame carries of a TCP stream, and whether it is TCP.
func tcpPayload(f captured) ([]byte, bool) {
	tcp, ok := gopacket.NewPacket(f.data, layers.LayerTypeEthernet, gopacket.NoCopy).TransportLayer().(*layers.TCP)
	if !ok {
		return nil, false
	}
	return tcp.Payload, true
}

// sameFrames compares two captures of the same frames, to the byte, and returns
// how much later each is in the second.
func sameFrames(t *testing.T, what string, a, b []captured) (later []time.Duration) {
	t.Helper()
	if len(a) != len(b) || len(a) == 0 {
		t.Fatalf("%s: %d and %d frames", what, len(a), len(b))
	}
	for i := range a {
		if !bytes.Equal(a[i].data, b[i].data) {
			t.Fatalf("%s: frame %d differs:\n%x\n%x", what, i, a[i].data, b[i].data)
		}
		later = append(later, b[i].at.Sub(a[i].at))
	}
	return later
}

// kernelCounts compares what the guests' kernels have counted with the switch's
// counters. What a port adds to short frames, to make them 60 bytes long, their kernels
// do not know of.
func kernelCounts(t *testing.T, app *guesttest.App, boards ...string) {
	t.Helper()
	for _, b := range boards {
		out := strings.Fields(app.Sh(b, "cd /sys/class/net/eth0/statistics; cat tx_packets tx_bytes rx_packets rx_bytes"))
		for i, name := range []string{"tx.frames", "tx.bytes", "rx.frames", "rx.bytes"} {
			got, at := netCount(t, app, "lan:"+b+".eth0."+name), out[i]
			kernel, err := strconv.Atoi(at)
			padding := 0
			if name == "tx.bytes" {
				padding = (shortest - headers) * shortFrames(app, b+".eth0")
			}
			if err != nil || got < kernel || got > kernel+padding {
				t.Errorf("%s: the switch counts %d %s, the kernel %s, and padding is %d at most", b, got, name, at, padding)
			}
		}
	}
}

// Sizes of Ethernet frames without their check sequence (IEEE 802.3, 3.2.7), in bytes.
const (
	headers  = 14
	shortest = 60
)

// shortFrames counts the frames of a port that are as short as can be.
func shortFrames(app *guesttest.App, port string) (n int) {
	for _, e := range app.Events() {
		from, _ := e.Get("from")
		length, _ := e.Get("length")
		if e.Kind == ether.KindFrame && from == port && length == strconv.Itoa(shortest) {
			n++
		}
	}
	return n
}

const (
	mac1 = "02:42:50:00:00:00" // of the first board's first port, as none is given
	mac2 = "02:42:50:00:01:00"
)

// iperf runs iperf3 from b1 to b2 and returns the server's report.
func iperf(t *testing.T, app *guesttest.App, during func(), args ...string) (report iperfReport) {
	t.Helper()
	server := app.StartCommand("b2", "iperf3", "-s", "-1", "-J")
	app.Sleep(300 * time.Millisecond)
	client := app.StartCommand("b1", append([]string{"iperf3", "-c", "10.0.0.2"}, args...)...)
	if during != nil {
		during()
	}
	if r := client.Wait(); r.Status != 0 {
		t.Fatalf("iperf3 ended with %+v", r)
	}
	out := server.Wait().Stdout
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatalf("iperf3 -J: %v\n%s", err, out)
	}
	return report
}

type iperfReport struct {
	End struct {
		Streams []struct {
			UDP struct {
				Bytes      int `json:"bytes"`
				Packets    int `json:"packets"`
				Lost       int `json:"lost_packets"`
				OutOfOrder int `json:"out_of_order"`
			} `json:"udp"`
		} `json:"streams"`
		SumReceived struct {
			Bytes         float64 `json:"bytes"`
			BitsPerSecond float64 `json:"bits_per_second"`
		} `json:"sum_received"`
	} `json:"end"`
}

// TestTrafficAgrees has iperf3, ping and tcpdump in guests agree with the
// switch's counters and with the capture file, to the byte, and with the delay
// that was configured.
func TestTrafficAgrees(t *testing.T) {
	out := t.TempDir()
	root := guesttest.Rootfs(t, "/usr/bin/ping", "iperf3", "tcpdump")
	for name, text := range map[string]string{"passwd": "root:x:0:0::/:/bin/sh\n", "group": "root:x:0:\n"} { // tcpdump looks itself up
		if err := os.MkdirAll(filepath.Join(root, "etc"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	const bandwidth = 50e6
	app := guesttest.Run(t, pair(root, "latency = \"2ms\"\nbandwidth = \"50M\"\nqueue = \"256K\"\n"), guesttest.Options{Seed: 1, Out: out})
	stop1, stop2 := tcpdump(app, t, "b1"), tcpdump(app, t, "b2")
	app.Do("b1", "/usr/bin/ping", "-c", "5", "-i", "0.1", "-s", "1000", "10.0.0.2")
	iperf(t, app, nil, "-n", "4M")
	if r := iperf(t, app, nil, "-u", "-b", "20M", "-l", "1400", "-n", "1400000"); r.End.Streams[0].UDP.Lost != 0 || r.End.Streams[0].UDP.Packets != 1000 {
		t.Errorf("iperf3 reports of UDP %+v, want 1000 packets", r.End.Streams[0].UDP)
	}
	at1, at2 := stop1(), stop2()
	kernelCounts(t, app, "b1", "b2")
	sent := make(map[string]int)
	for _, name := range []string{"frames", "bytes"} {
		sent[name] = netCount(t, app, "lan:b1.eth0.tx."+name) + netCount(t, app, "lan:b2.eth0.tx."+name)
	}
	dropped := netCount(t, app, "lan:b1.eth0.rx.dropped.queue") + netCount(t, app, "lan:b2.eth0.rx.dropped.queue")
	if dropped != 0 {
		t.Fatalf("%d frames found the queue full, and the comparison below is of all", dropped)
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}

	file, err := os.ReadFile(filepath.Join(out, "lan.pcapng"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	atSwitch, total := frames(t, r.ReadPacketData), 0
	for _, f := range atSwitch {
		total += len(f.data)
	}
	if len(atSwitch) < sent["frames"] || total < sent["bytes"] {
		t.Errorf("the capture has %d frames and %d bytes, the counters had %d and %d before", len(atSwitch), total, sent["frames"], sent["bytes"])
	}
	for _, way := range []struct{ name, mac string }{{"b1 to b2", mac1}, {"b2 to b1", mac2}} {
		sender, receiver := at1, at2
		if way.mac == mac2 {
			sender, receiver = at2, at1
		}
		sender, receiver = from(sender, way.mac), from(receiver, way.mac)
		middle := from(atSwitch, way.mac)
		middle = middle[:min(len(middle), len(sender))] // the guests stopped capturing first
		for i, d := range sameFrames(t, way.name+", guest and switch", sender, middle) {
			if off := d - time.Millisecond; off < -tick || off > tick {
				t.Fatalf("%s: frame %d came to the switch after %s, want half of 2 ms", way.name, i, d)
			}
		}
		// From guest to guest: the latency, the time on the wire, and the wait for
		// the frames before. A receiver's kernel joins TCP segments before tcpdump
		// sees them, so that of those only the payload is compared.
		var free time.Time
		var sentTCP, receivedTCP []byte
		var alike []captured
		for _, f := range receiver {
			if payload, ok := tcpPayload(f); ok {
				receivedTCP = append(receivedTCP, payload...)
			} else {
				alike = append(alike, f)
			}
		}
		for i, f := range sender {
			in := middle[i].at
			if free.Before(in) {
				free = in
			}
			free = free.Add(time.Duration(float64(max(len(f.data), 60)+24) * 8 * 1e9 / bandwidth))
			if payload, ok := tcpPayload(f); ok {
				sentTCP = append(sentTCP, payload...)
				continue
			}
			if len(alike) == 0 || !bytes.Equal(alike[0].data, f.data) {
				t.Fatalf("%s: frame %d did not arrive, or not as it was sent", way.name, i)
			}
			d, want := alike[0].at.Sub(f.at), free.Add(time.Millisecond).Sub(f.at)
			if off := d - want; off < -tick || off > tick {
				t.Fatalf("%s: frame %d took %s from guest to guest, want %s", way.name, i, d, want)
			}
			alike = alike[1:]
		}
		if len(alike) > 0 || !bytes.Equal(sentTCP, receivedTCP) {
			t.Errorf("%s: %d frames too many, %d bytes of TCP sent and %d received", way.name, len(alike), len(sentTCP), len(receivedTCP))
		}
	}
	t.Logf("%d frames of guests compared with %d of the switch", len(at1), len(atSwitch))
}

// tick is how finely a guest's clock counts (TIMER_MULTIPLIER in
// arch/um/include/shared/timer-internal.h is 256 ns), with one more for rounding.
const tick = 257 * time.Nanosecond

// TestImpairmentsAgree has what guests see lost, twice and out of order be what
// the switch has counted.
func TestImpairmentsAgree(t *testing.T) {
	root := guesttest.Rootfs(t, "/usr/bin/ping", "iperf3")
	app := guesttest.Run(t, pair(root, ""), guesttest.Options{Seed: 2})
	app.Do("b1", "/usr/bin/ping", "-c", "2", "-i", "0.2", "10.0.0.2")
	// During the middle of a UDP stream nothing else passes.
	stream := func(setting string) iperfReport {
		return iperf(t, app, func() {
			app.Sleep(500 * time.Millisecond)
			app.MustSet(setting, "0.05")
			app.Sleep(time.Second)
			app.MustSet(setting, "0")
		}, "-u", "-b", "10M", "-l", "1000", "-t", "2")
	}
	udp, lost := stream("lan:b2.eth0.rx.loss").End.Streams[0].UDP, 0
	all := netCount(t, app, "lan:b2.eth0.rx.dropped.lost")
	for _, e := range app.Events() {
		if summary, _ := e.Get("summary"); e.Kind == ether.KindFrameEnd {
			if all--; strings.HasSuffix(summary, ":5201, 1000 bytes") {
				lost++
			} else {
				t.Logf("lost beside the stream: %s", summary)
			}
		}
	}
	if udp.Lost != lost || lost == 0 || all != 0 {
		t.Errorf("iperf3 missed %d packets, the switch lost %d of them and counts %d more than there were events", udp.Lost, lost, all)
	}
	if udp, n := stream("lan:b1.eth0.tx.reorder").End.Streams[0].UDP, netCount(t, app, "lan:b1.eth0.tx.reordered"); udp.OutOfOrder != n || n == 0 {
		t.Errorf("iperf3 saw %d packets out of order, the switch counts %d", udp.OutOfOrder, n)
	}
	if udp, n := stream("lan:b1.eth0.tx.corrupt").End.Streams[0].UDP, netCount(t, app, "lan:b1.eth0.tx.corrupted"); udp.Lost != n || n == 0 {
		t.Errorf("iperf3 missed %d packets, and %d were damaged", udp.Lost, n)
	}
	kernelCounts(t, app, "b1", "b2")

	app.MustSet("lan:b2.eth0.rx.duplicate", "0.3")
	before := netCount(t, app, "lan:b2.eth0.rx.duplicated")
	out := app.Do("b1", "/usr/bin/ping", "-c", "100", "-i", "0.01", "10.0.0.2")
	n := netCount(t, app, "lan:b2.eth0.rx.duplicated") - before
	if m := regexp.MustCompile(`\+(\d+) duplicates`).FindStringSubmatch(out); m == nil || m[1] != fmt.Sprint(n) {
		t.Errorf("%d requests were duplicated, and ping says\n%s", n, out)
	}
	app.MustSet("lan:b2.eth0.rx.duplicate", "0")

	app.MustSet("lan:b2.eth0.tx.loss", "0.3") // of answers
	r := app.StartCommand("b1", "/usr/bin/ping", "-c", "100", "-i", "0.01", "-W", "1", "10.0.0.2").Wait()
	n = netCount(t, app, "lan:b2.eth0.tx.dropped.lost")
	if want := fmt.Sprintf("100 packets transmitted, %d received", 100-n); n == 0 || !strings.Contains(r.Stdout, want) {
		t.Errorf("%d answers were lost, and ping says\n%s", n, r.Stdout)
	}
}
