package tests

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

const debianBoard = "scenarios/debian-board/debian-board.toml"

// debianTime is how long a run of it may take on the host, records included. It takes 3 seconds on
// two CPUs that have nothing else to do; other tests run beside it.
const debianTime = 10 * time.Second

// TestDebianBoard: an unmodified Debian boots from its disk to a login prompt, has no failed unit and
// an address by DHCP, and is powered off in order, on both clocks, and the same each time.
func TestDebianBoard(t *testing.T) {
	make := exec.Command("make", "-s", "bin/images/debian.img")
	make.Dir = ".."
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("build its image: %v\n%s", err, out)
	}
	for _, clock := range []string{"virtual", "real"} {
		begin := time.Now()
		out, errs, status := run(t, nil, "run", debianBoard, "--clock", clock)
		took := time.Since(begin)
		t.Logf("on the %s clock it takes %s", clock, took.Round(10*time.Millisecond))
		if status != 0 || !strings.Contains(out, "PASSED: debian-board") || took > debianTime {
			t.Errorf("on the %s clock, in %s: status %d\n%s%s", clock, took, status, out, errs)
		}
	}
	verified(t, debianBoard, 2)
}
