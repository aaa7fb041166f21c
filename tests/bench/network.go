package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// traffic is what went between the boards of one system.
type traffic struct {
	tcp    float64 // bits a second, all pairs together
	ping   float64 // the median round trip in ms
	frames float64 // small UDP datagrams that arrived in a second
}

// network measures traffic between boards in real time, and the same between
// kernels that other means join.
func (b *bench) network() error {
	pair, err := b.boards(1, true)
	if err != nil {
		return err
	}
	pairs, err := b.boards(2, false)
	if err != nil {
		return err
	}
	var one traffic
	if err := onOneCPU(func() error { one, err = b.boards(2, false); return err }); err != nil {
		return err
	}
	theirs := make([][2]traffic, len(peers))
	for i, p := range peers {
		for j, n := range []int{1, 2} {
			if theirs[i][j], err = b.peer(p, n, n == 1); err != nil {
				fmt.Fprintf(b.Out, "%s, %d kernels: no peer to compare with: %v\n", p.name, 2*n, err)
			}
		}
	}
	for i, p := range peers {
		b.compare("TCP between two boards, real, beside "+p.name, pair.tcp/1e9, theirs[i][0].tcp/1e9, "Gbit/s", p.tcp)
		b.compare("ping, median round trip, real, beside "+p.name, pair.ping, theirs[i][0].ping, "ms", p.ping)
		b.compare("UDP, 64 bytes each, real, beside "+p.name, pair.frames/1e3, theirs[i][0].frames/1e3, "k/s", p.frames)
		b.compare("TCP, two pairs on one switch, real, beside "+p.name, pairs.tcp/1e9, theirs[i][1].tcp/1e9, "Gbit/s", p.tcp)
	}
	b.row("TCP, two pairs on one switch, beside one pair", pairs.tcp/1e9, pair.tcp/1e9, "Gbit/s")
	b.compare(fmt.Sprintf("TCP, two pairs on one switch, %d CPUs beside 1", runtime.NumCPU()),
		pairs.tcp/1e9, one.tcp/1e9, "Gbit/s", atLeast(0.75*float64(runtime.NumCPU())))
	return nil
}

// What each guest runs: the odd ones client with their partner's address, the
// even ones server. Only the first of several pairs does more than TCP.
const (
	clientScript = `#!/bin/sh
until /bin/ping -c 1 -W 1 $1 >/dev/null; do :; done
sleep 1
if [ "$2" = all ]; then
	/bin/ping -c 300 -i 0.01 $1
	load send $1:7 64 3s
fi
iperf3 -J -c $1 -t 5
`
	serverScript = `#!/bin/sh
[ "$1" = all ] && load count 7 &
iperf3 -s -1 >/dev/null
wait
`
)

// which is the last argument of the scripts.
func which(all bool) string {
	if all {
		return "all"
	}
	return "tcp"
}

// boards measures between pairs of boards on one segment.
func (b *bench) boards(pairs int, all bool) (t traffic, err error) {
	board := fmt.Sprintf("memory = \"128M\"\n[firmware]\nrootfs = [%q]\nargs = \"loglevel=4\"\n", b.root) + ethernet
	r, err := b.start(false, 2*pairs, board, lan(2*pairs, ""))
	if err != nil {
		return t, err
	}
	defer r.Close()
	var clients, servers []func() (string, error)
	for i := range pairs {
		server, err := b.command(r, fmt.Sprintf("b%d", 2*i+1), "sh", "/bin/server", which(all))
		if err != nil {
			return t, err
		}
		client, err := b.command(r, fmt.Sprintf("b%d", 2*i), "sh", "/bin/client", fmt.Sprintf("10.0.0.%d", 2*i+2), which(all))
		if err != nil {
			return t, err
		}
		clients, servers = append(clients, client), append(servers, server)
	}
	for i := range clients {
		client, err := clients[i]()
		if err != nil {
			return t, err
		}
		server, err := servers[i]()
		if err != nil {
			return t, err
		}
		if err := t.add(client, server, all); err != nil {
			return t, err
		}
	}
	return t, nil
}

// add takes the results of one pair from what its guests have printed.
func (t *traffic) add(client, server string, all bool) error {
	rate, err := received(client)
	if err != nil {
		return err
	}
	t.tcp += rate
	if !all {
		return nil
	}
	if t.ping, err = roundTrip(client); err != nil {
		return err
	}
	t.frames, err = arrived(server)
	return err
}

var pingTime = regexp.MustCompile(`time=([0-9.]+) ms`)

// roundTrip is the median round trip of a ping in milliseconds.
func roundTrip(out string) (float64, error) {
	var times []float64
	for _, m := range pingTime.FindAllStringSubmatch(out, -1) {
		t, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return 0, fmt.Errorf("ping: %w", err)
		}
		times = append(times, t)
	}
	if len(times) == 0 {
		return 0, fmt.Errorf("ping: no round-trip times in %s", tail(out))
	}
	sort.Float64s(times)
	return times[len(times)/2], nil
}

var counted = regexp.MustCompile(`datagrams ([0-9]+) seconds ([0-9.]+)`)

// arrived is how many datagrams load counted in a second.
func arrived(out string) (float64, error) {
	m := counted.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("load count: no result in %s", tail(out))
	}
	n, _ := strconv.ParseFloat(m[1], 64)
	seconds, _ := strconv.ParseFloat(m[2], 64)
	if n < 2 || seconds == 0 {
		return 0, fmt.Errorf("load count: %s", m[0])
	}
	return (n - 1) / seconds, nil
}

// received is what iperf3's receiver got, in bits a second.
func received(out string) (float64, error) {
	var report struct {
		Error string
		End   struct {
			SumReceived struct {
				BitsPerSecond float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
	}
	out = strings.ReplaceAll(out, "\r", "") // of a console
	at := strings.Index(out, "{\n")
	if at < 0 {
		return 0, fmt.Errorf("iperf3: no report in %s", tail(out))
	}
	if err := json.NewDecoder(strings.NewReader(out[at:])).Decode(&report); err != nil {
		return 0, fmt.Errorf("iperf3: %w in %s", err, tail(out))
	}
	if report.Error != "" {
		return 0, fmt.Errorf("iperf3: %s", report.Error)
	}
	return report.End.SumReceived.BitsPerSecond, nil
}

func tail(s string) string { return s[max(0, len(s)-500):] }

// onOneCPU runs f with all threads of this program, and whatever they start, on one CPU.
func onOneCPU(f func() error) error {
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	one, err := firstCPU()
	if err != nil {
		return err
	}
	if err := setAffinity(&one); err != nil {
		return err
	}
	err = f()
	if e := setAffinity(&before); err == nil {
		err = e
	}
	return err
}

// firstCPU is the first that this thread may use.
func firstCPU() (one unix.CPUSet, err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return one, err
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	return one, nil
}

// setAffinity moves all threads: those that begin later are like the one that begins them.
func setAffinity(set *unix.CPUSet) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(id, set); err != nil && err != unix.ESRCH {
			return fmt.Errorf("run on %d CPUs: %w", set.Count(), err)
		}
	}
	return nil
}
