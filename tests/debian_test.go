package tests

import (
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const debianBoard = "scenarios/debian-board/debian-board.toml"

// TestDebianBoard: an unmodified Debian boots from its disk to a login prompt, has no failed unit and
// an address by DHCP, and is powered off in order, on both clocks, and the same each time.
func TestDebianBoard(t *testing.T) {
	t.Parallel()
	makeImage(t, "debian.img")
	passesOnBothClocks(t, debianBoard)
	verified(t, debianBoard, 2)
}

// imageMaking is held by who makes an image: tests that use the same one run at the same time.
var imageMaking sync.Mutex

// makeImage makes an image of the Makefile's, if it is not there.
func makeImage(t *testing.T, name string) {
	t.Helper()
	imageMaking.Lock()
	defer imageMaking.Unlock()
	make := exec.Command("make", "-s", "bin/images/"+name)
	make.Dir = ".."
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("build its image: %v\n%s", err, out)
	}
}

// passesOnBothClocks runs a scenario, which has its file's name.
func passesOnBothClocks(t *testing.T, scenario string) {
	t.Helper()
	name := strings.TrimSuffix(filepath.Base(scenario), ".toml")
	for _, clock := range []string{"virtual", "real"} {
		begin := time.Now()
		out, errs, status := run(t, nil, "run", scenario, "--clock", clock)
		t.Logf("on the %s clock it takes %s", clock, time.Since(begin).Round(10*time.Millisecond))
		if status != 0 || !strings.Contains(out, "PASSED: "+name) {
			t.Errorf("on the %s clock: status %d\n%s%s", clock, status, out, errs)
		}
	}
}
