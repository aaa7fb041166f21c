package tests

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

const debianBoard = "scenarios/debian-board/debian-board.toml"

// TestDebianBoard: an unmodified Debian boots from its disk to a login prompt, has no failed unit and
// an address by DHCP, and is powered off in order, on both clocks, and the same each time.
func TestDebianBoard(t *testing.T) {
	t.Parallel()
	make := exec.Command("make", "-s", "bin/images/debian.img")
	make.Dir = ".."
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("build its image: %v\n%s", err, out)
	}
	for _, clock := range []string{"virtual", "real"} {
		begin := time.Now()
		out, errs, status := run(t, nil, "run", debianBoard, "--clock", clock)
		t.Logf("on the %s clock it takes %s", clock, time.Since(begin).Round(10*time.Millisecond))
		if status != 0 || !strings.Contains(out, "PASSED: debian-board") {
			t.Errorf("on the %s clock: status %d\n%s%s", clock, status, out, errs)
		}
	}
	verified(t, debianBoard, 2)
}
