package bench

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// TestLimit: both round trips end, and take some time.
func TestLimit(t *testing.T) {
	load := filepath.Join(t.TempDir(), "load")
	if out, err := exec.Command("go", "build", "-o", load, "backplane/tests/programs/load").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b := &bench{Options: Options{Load: load}, ctx: t.Context()}
	for _, virtual := range []bool{false, true} {
		if us, err := b.limit(virtual); err != nil || us <= 0 {
			t.Errorf("%s: %v us, %v", clockName(virtual), us, err)
		}
	}
}

// TestOutput reads what the guests' programs print, through a console or not.
func TestOutput(t *testing.T) {
	client := "64 bytes: icmp_seq=1 ttl=64 time=0.300 ms\r\n64 bytes: icmp_seq=2 ttl=64 time=9 ms\r\n64 bytes: icmp_seq=3 ttl=64 time=0.2 ms\r\n" +
		"{\r\n\t\"start\":\t{},\r\n\"end\": {\"sum_received\": {\"bits_per_second\": 2e9}}\r\n}\r\n[ 6.2] reboot: Power down\r\n"
	var got traffic
	if err := got.add(client, "datagrams 1001 seconds 0.500000\r\n", true); err != nil {
		t.Fatal(err)
	}
	if want := (traffic{tcp: 2e9, ping: 0.3, frames: 2000}); got != want {
		t.Errorf("read %+v, want %+v", got, want)
	}
	for name, client := range map[string]string{
		"nothing": "", "no report": "time=1 ms", "an error": "time=1 ms\n{\n\"error\": \"unable to connect\"}", "cut short": "time=1 ms\n{\n\"end\": {",
	} {
		if err := new(traffic).add(client, "datagrams 5 seconds 1", true); err == nil {
			t.Errorf("%s: taken for a result", name)
		}
	}
}
