package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// TestVerify runs the thermal appliance and the network of twelve boards many
// times, and while the machine is loaded, on one CPU and on all: every run is the
// same, and so are those of one load and another.
func TestVerify(t *testing.T) {
	if _, err := exec.LookPath("taskset"); err != nil {
		t.Fatalf("%v: tools/packages installs what the tests need", err)
	}
	const loaded = 8 // each takes many times as long as a quiet one
	for _, s := range []struct {
		name, file string
		quiet      int
	}{{"thermal", thermal, 100}, {"network", "scenarios/network/network.toml", 20}} {
		t.Run(s.name, func(t *testing.T) {
			digests := make(map[string]bool)
			t.Run("quiet", func(t *testing.T) { digests[verified(t, s.file, s.quiet)] = true })
			t.Run("hogs on one CPU", func(t *testing.T) {
				cpu := firstCPU(t)
				hog(t, cpu, cpu)
				digests[verified(t, s.file, loaded, "taskset", "-c", fmt.Sprint(cpu))] = true
			})
			t.Run("hogs on all CPUs", func(t *testing.T) {
				hog(t, -1, -1)
				digests[verified(t, s.file, loaded)] = true
			})
			if len(digests) != 1 {
				t.Errorf("the digests are %v", digests)
			}
		})
	}
}

// verified is the digest of so many runs of a scenario, which are all the same.
func verified(t *testing.T, file string, times int, prefix ...string) string {
	t.Helper()
	args := append(prefix, backplane(t), "run", "--verify", fmt.Sprint(times), file)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := regexp.MustCompile(`(?m)^SAME: (\d+) runs, .*\(digest (\w{32})\)$`).FindStringSubmatch(string(out))
	if m == nil || m[1] != fmt.Sprint(times) {
		t.Fatalf("it prints\n%s", out)
	}
	return m[2]
}

// firstCPU is the first that this process may use.
func firstCPU(t *testing.T) int {
	t.Helper()
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	cpu := 0
	for !set.IsSet(cpu) {
		cpu++
	}
	return cpu
}

// hog runs a process that computes on each of these CPUs, -1 for any, until the test ends.
func hog(t *testing.T, cpus ...int) {
	t.Helper()
	for _, cpu := range cpus {
		args := []string{"sh", "-c", "while :; do :; done"}
		if cpu >= 0 {
			args = append([]string{"taskset", "-c", fmt.Sprint(cpu)}, args...)
		}
		cmd := exec.Command(args[0], args[1:]...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
}

// scenarioFile writes a board with that root file system and a scenario for it.
func scenarioFile(t *testing.T, root, steps string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"board.toml":    fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n", root),
		"scenario.toml": "name = \"s\"\nappliance = \"board.toml\"\n" + steps,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "scenario.toml")
}

// TestVerifyFinds runs a program whose output is the host's chance, and wants
// that found, and shown with what was before it.
func TestVerifyFinds(t *testing.T) {
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(cpu), " rdrand ") {
		t.Skip("this CPU has no RDRAND")
	}
	program := guesttest.Program(t, "backplane/tests/programs/chance")
	file := scenarioFile(t, guesttest.Rootfs(t, program), `
[[step]]
exec = { board = "b", command = ["sh", "-c", "sleep 1; (echo; echo all is well; chance rdrand) >/dev/console"] }
`)
	dir := t.TempDir()
	out, errs, status := run(t, nil, "run", "--verify", "5", "--out", dir, file)
	if status != 1 {
		t.Errorf("status %d, %s", status, errs)
	}
	for _, want := range []string{
		`DIFFERENT: run 2 of 5 differs from run 1`,
		`first difference: event \d+ of events.jsonl, at [1-9]\.\d{9}s, on board b`,
		`both have:(\n  \{.*)*\n  \{.*"line":"all is well"\}`,
		`run 1 goes on:\n  \{.*"line":"rdrand \d+"\}`,
		`run 2 goes on:\n  \{.*"line":"rdrand \d+"\}`,
		`also different: console/b.log`,
		`kept: .*/run-1\nkept: .*/run-2`,
	} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, name := range []string{"run-1/events.jsonl", "run-2/events.jsonl", "run-2/console/b.log", "run-2/report.json"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestVerifyKeepsContents verifies a scenario that changes an EEPROM's file.
func TestVerifyKeepsContents(t *testing.T) {
	dir := t.TempDir()
	contents := make([]byte, 4096)
	contents[0] = 0x41
	for name, text := range map[string]string{
		"board.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n[[i2c]]\nname = \"i2c1\"\nnumber = 1\n"+
			"[[i2c.chip]]\nname = \"rom\"\nmodel = \"at24c32\"\naddress = 0x50\nfile = \"rom.bin\"\n", guesttest.Rootfs(t)),
		"scenario.toml": `appliance = "board.toml"
[[step]]
exec = { board = "b", command = ["sh", "-c", "f=$(ls /sys/bus/i2c/devices/*/eeprom); head -c 1 $f >/dev/console; printf B >$f; head -c 1 $f"], output = "B" }
`,
		"rom.bin": string(contents),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, status := run(t, nil, "run", "--verify", "2", filepath.Join(dir, "scenario.toml"))
	if status != 0 || !strings.Contains(out, "SAME: 2 runs") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "rom.bin")); err != nil || string(after) != string(contents) {
		t.Errorf("the file has changed: %v, %q", err, after[:1])
	}
	// Without --verify the chip keeps what it was given.
	if out, errs, status := run(t, nil, "run", filepath.Join(dir, "scenario.toml")); status != 0 {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if after, err := os.ReadFile(filepath.Join(dir, "rom.bin")); err != nil || after[0] != 'B' {
		t.Errorf("the file has not changed: %v, %q", err, after[:1])
	}
}
