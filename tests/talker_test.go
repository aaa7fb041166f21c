package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestTalkersAreRepeated: programs and the kernel write to a console at once, as fast as
// they can; nothing is lost, and all comes at the same times again.
func TestTalkersAreRepeated(t *testing.T) {
	const lines = 300
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n", guesttest.Rootfs(t)),
		"s.toml": fmt.Sprintf("appliance = \"b.toml\"\n[[step]]\nexec = { board = \"b\", command = [\"/bin/sh\", \"-c\", "+
			"\"for i in $(seq %d); do echo a program $i > /dev/console; done & for i in $(seq %d); do echo the kernel $i > /dev/kmsg; done; wait\"] }\n", lines, lines),
	})
	out, errs, status := run(t, nil, "run", "--verify", "3", "--out", filepath.Join(dir, "v"), filepath.Join(dir, "s.toml"))
	if status != 0 || !strings.Contains(out, "SAME: 3 runs") {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	data, err := os.ReadFile(filepath.Join(dir, "v", "run-1", "console", "b.log"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for _, who := range []string{"a program ", "the kernel "} {
		if n := strings.Count(text, who); n != lines {
			t.Errorf("%d lines of %s, want %d", n, who, lines)
		}
	}
}
