package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"backplane/guest/doctor"
	"backplane/tests/guesttest"
)

// limited runs a scenario in a cgroup that has so many bytes of memory for this program and
// all boards, and returns its exit status and what it says.
func limited(t *testing.T, limit int, clock string, files map[string]string) (exit int, said string) {
	t.Helper()
	dir := writeFiles(t, files)
	cmd := exec.Command("/bin/sh", "-c", `echo $$ >"$GROUP/cgroup.procs" && exec "$@"`, "sh", backplane(t), "run", "--clock", clock, filepath.Join(dir, "s.toml"))
	cmd.Env = append(os.Environ(), "GROUP="+memoryGroup(t, limit), "XDG_RUNTIME_DIR="+dir)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	exit = status(t, cmd.Run())
	return exit, out.String()
}

// TestMoreMemoryThanTheHost: a board fills 1.5 times the memory that the host lets it have, and reads it back.
func TestMoreMemoryThanTheHost(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can limit memory")
	}
	root := guesttest.Rootfs(t, guesttest.Program(t, "backplane/tests/programs/fill"))
	files := map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\ncpus = 2\nmemory = \"256M\"\n[firmware]\nrootfs = [%q]\n", root),
		"s.toml": "appliance = \"b.toml\"\nstall_limit = \"10m\"\n[[step]]\nexec = { board = \"b\", command = [\"fill\", \"192\"], timeout = \"10m\" }\n",
	}
	for _, clock := range []string{"virtual", "real"} {
		t.Run(clock, func(t *testing.T) {
			exit, said := limited(t, 128<<20, clock, files)
			if exit != 0 {
				t.Errorf("status %d:\n%s", exit, said)
			}
			for _, want := range []string{"the memory of b is in files in ", "boards' memory is more than the 128 MiB that this machine has"} {
				if !strings.Contains(said, want) {
					t.Errorf("no %q in\n%s", want, said)
				}
			}
		})
	}
}

// TestMemoryBeyondTheHosts is the same with all the memory that the host has, and nothing that limits it: BACKPLANE_FILL is how
// many times that, 1.5 for one. It takes so much room on the disk, and some minutes in each clock.
func TestMemoryBeyondTheHosts(t *testing.T) {
	const name = "BACKPLANE_FILL"
	text := os.Getenv(name)
	if text == "" {
		t.Skipf("it writes more to the disk than this machine has memory, which takes minutes: %s=1.5 has it write 1.5 times as much", name)
	}
	times, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	total, ok := doctor.Total()
	if !ok {
		t.Fatal("it is not known how much memory this machine has")
	}
	mib := int(float64(total>>20) * times)
	root := guesttest.Rootfs(t, guesttest.Program(t, "backplane/tests/programs/fill"))
	for _, clock := range []string{"virtual", "real"} {
		t.Run(clock, func(t *testing.T) {
			dir := writeFiles(t, map[string]string{
				"b.toml": fmt.Sprintf("name = \"b\"\ncpus = 2\nmemory = \"%dM\"\nbacking = \"file\"\n[firmware]\nrootfs = [%q]\n", mib+mib/16+256, root),
				"s.toml": fmt.Sprintf("appliance = \"b.toml\"\n[[step]]\nexec = { board = \"b\", command = [\"/bin/sh\", \"-c\", \"fill %d >/dev/console\"], timeout = \"2h\" }\n", mib),
			})
			out, errs, status := run(t, nil, "run", "--clock", clock, "--out", filepath.Join(dir, "out"), filepath.Join(dir, "s.toml"))
			if status != 0 {
				t.Errorf("status %d", status)
			}
			said, err := os.ReadFile(filepath.Join(dir, "out", "console", "b.log"))
			t.Logf("%s%s%s%v", out, errs, said, err)
		})
	}
}

// TestOneBoardEnds: of two boards one takes all memory that there is. It ends, and it is said why; the other one goes on.
func TestOneBoardEnds(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can limit memory")
	}
	root := guesttest.Rootfs(t, guesttest.Program(t, "backplane/tests/programs/fill"))
	board := fmt.Sprintf("memory = \"512M\"\nbacking = \"ram\"\n[firmware]\nrootfs = [%q]\n", root)
	files := map[string]string{
		"greedy.toml": "name = \"greedy\"\n" + board,
		"modest.toml": "name = \"modest\"\n" + board,
		"a.toml":      "name = \"a\"\n[[board]]\nfile = \"greedy.toml\"\n[[board]]\nfile = \"modest.toml\"\n",
		"s.toml": `appliance = "a.toml"
on_guest_loss = "continue"
stall_limit = "10m"
[[step]]
exec = { board = "modest", command = ["true"] }
[[step]]
name = "greed"
exec = { board = "greedy", command = ["/bin/sh", "-c", "fill 400 >/dev/null 2>&1 </dev/null &"] }
expect = { event = "guest", where = { board = "greedy", state = "lost", detail = "killed: this machine, or what limits this program's memory, ran out of memory" }, within = "5m" }
[[step]]
exec = { board = "modest", command = ["fill", "16"], timeout = "1m" }
`,
	}
	for _, clock := range []string{"virtual", "real"} {
		t.Run(clock, func(t *testing.T) {
			if exit, said := limited(t, 300<<20, clock, files); exit != 0 || !strings.Contains(said, "boards can come to use 1056 MiB of memory") {
				t.Errorf("status %d, and it is to say what boards can come to use:\n%s", exit, said)
			}
		})
	}
}

const oversized = "scenarios/oversized/oversized.toml"

// TestOversizedScenario plays the scenario of a board with 64 CPUs and 256 GiB.
func TestOversizedScenario(t *testing.T) {
	t.Parallel()
	if free, ok := doctor.Available(); ok && free < 7<<30 {
		t.Skip("this host has less than 7 GiB of memory to spare: the board's page array takes 4, and the scenario writes to some more")
	}
	if out, errs, status := run(t, nil, "run", oversized); status != 0 || !strings.Contains(out, "PASSED: oversized") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
