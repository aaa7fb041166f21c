package tests

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/firmware/agentproto"
	"backplane/guest/agent"
	"backplane/guest/kernel"
	"backplane/periph/catalog"
	"backplane/periph/gpio"
	"backplane/periph/serial"
	"backplane/scenarios"
	"backplane/simbus"
	"backplane/simbus/ether"
	"backplane/tests/guesttest"
)

// What docs/security.md promises: so much memory of this program's own a board takes at
// most, and each of its Ethernet ports besides, in bytes, whatever its guest does.
const (
	boardBudget = 128 << 20
	portBudget  = 192 << 20
)

// hostLimit bounds a test's flood in virtual time, which hardly moves meanwhile.
const hostLimit = 15 * time.Second

// TestMemoryOfFloods lets boards flood all that there is at once, and nobody take it: this
// program's own memory stays within the budget.
func TestMemoryOfFloods(t *testing.T) {
	for _, virtual := range []bool{true, false} {
		t.Run(fmt.Sprintf("virtual %v", virtual), func(t *testing.T) { memoryOfFloods(t, virtual) })
	}
}

func memoryOfFloods(t *testing.T, virtual bool) {
	const count = 2
	root := guesttest.Rootfs(t, "ip", guesttest.Program(t, "backplane/tests/programs/load"))
	files, ports := map[string]string{}, ""
	main := "name = \"floods\"\n"
	for i := range count {
		name := fmt.Sprintf("b%d", i)
		files[name+".toml"] = fmt.Sprintf(`name = %q
memory = "96M"
[firmware]
rootfs = [%q]
[[ethernet]]
name = "eth0"
address = "10.0.0.%d/24"
[[serial]]
name = "uart1"
device = "/dev/ttyS1"
baud = 4000000
[[gpio]]
name = "gpio0"
lines = ["out", "in"]
`, name, root, i+1)
		main += fmt.Sprintf("[[board]]\nname = %q\nfile = %q\n", name, name+".toml")
		ports += fmt.Sprintf("%q, ", name+".eth0")
	}
	files["main.toml"] = main + "[[segment]]\nname = \"lan\"\nlatency = \"10ms\"\nports = [" + ports + "]\n" +
		"[[serial]]\nname = \"line\"\nports = [\"b0.uart1\", \"b1.uart1\"]\n" +
		"[[wire]]\nname = \"w\"\nfrom = \"b0.gpio0.out\"\nto = \"b1.gpio0.in\"\n"
	dir := writeFiles(t, files)
	a, err := boards.Load(filepath.Join(dir, "main.toml"), catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	before := heap()
	recorder, seen := &scenarios.Recorder{Tolerant: true}, &kinds{count: make(map[string]int)}
	r, err := appliance.Start(context.Background(), a, appliance.Options{
		Virtual: virtual, Start: guesttest.Start, Init: guesttest.Init(t), Out: filepath.Join(dir, "record"), RecordLimit: 64 << 20,
		Kernel: func(_ context.Context, virtual bool, want kernel.Recipe) (kernel.Image, error) {
			return guesttest.Kernel(t, virtual, want), nil
		},
		Events: []func(*simbus.Event){recorder.Event, seen.event},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	advance := func(d time.Duration, stop func(*simbus.Event) bool) bool {
		ctx, cancel := context.WithTimeout(context.Background(), hostLimit)
		defer cancel()
		stopped, err := r.Advance(ctx, r.Now().Add(d), stop)
		if err != nil && ctx.Err() == nil {
			t.Fatal(err)
		}
		return stopped
	}
	up := 0
	advance(time.Minute, func(e *simbus.Event) bool {
		if state, _ := e.Get("state"); e.Kind == appliance.KindGuest && state == appliance.StateUp {
			up++
		}
		return up == count
	})
	if up != count {
		t.Fatalf("%d boards are up", up)
	}
	for i := range count {
		floods := []string{
			"/usr/sbin/ip neigh add 10.0.0.9 dev eth0 lladdr ff:ff:ff:ff:ff:ff; exec load send 10.0.0.9:9 1000 1h",
			// Not by cat: all that one system call writes there in virtual time comes at one
			// moment, and the bound on that would end the board.
			"while :; do head -c 65536 /dev/zero; done > /dev/console",
			"stty -F /dev/ttyS1 4000000 raw && cat /dev/zero > /dev/ttyS1",
			"cat /dev/zero",
			"exec load gpio /dev/gpiochip0 0 2000000000",
		}
		for _, script := range floods {
			job := record.Job{Do: record.DoExec, Board: fmt.Sprintf("b%d", i), Args: []string{"/bin/sh", "-c", script}, Window: agentproto.Window}
			done := func(s agent.Status, err error) {
				if err == nil {
					t.Errorf("%q ended, with status %d", script, s.Code) // it floods nothing
				}
			}
			if _, err := r.Start(job, agent.Output{Done: done}); err != nil { // nobody takes its output
				t.Fatal(err)
			}
		}
	}
	var most uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				most = max(most, heap())
			}
		}
	}()
	flood := []string{appliance.KindConsole, ether.KindFrame, gpio.KindLevel, serial.KindTx}
	advance(2*time.Second, nil)
	for range 20 { // a busy host may have let some do nothing so far
		if !slices.ContainsFunc(flood, func(kind string) bool { return seen.of(kind) < 10 }) {
			break
		}
		advance(2*time.Second, nil)
	}
	close(stop)
	<-done
	used, budget := int64(most)-int64(before), int64(count*(boardBudget+portBudget))
	t.Logf("at most %d MiB, of %d", used>>20, budget>>20)
	if used > budget {
		t.Errorf("it takes %d MiB, and may take %d", used>>20, budget>>20)
	}
	for _, kind := range flood {
		if n := seen.of(kind); n < 10 {
			t.Errorf("%d events of kind %s: that is no flood", n, kind)
		}
	}
}

// kinds counts events.
type kinds struct {
	mu    sync.Mutex
	count map[string]int
}

func (k *kinds) event(e *simbus.Event) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.count[e.Kind]++
}

func (k *kinds) of(kind string) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.count[kind]
}

// heap is how much memory the objects of this program take, in bytes, with those that
// have not been collected yet.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
