package tests

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"backplane/guest/doctor"
	"backplane/scenarios/verify"
	"backplane/tests/guesttest"
)

// sources prints all that a guest can know of chance, of the time and of its host.
const sources = `exec >/dev/console 2>&1
for f in cpuinfo version cmdline stat interrupts iomem mounts meminfo uptime loadavg buddyinfo self/maps self/stat self/limits \
	sys/kernel/random/boot_id sys/kernel/random/uuid sys/kernel/random/entropy_avail sys/kernel/pid_max sys/kernel/core_pattern sys/vm/mmap_min_addr; do
	echo "== $f"; cat /proc/$f
done
echo == urandom; head -c 32 /dev/urandom | od -A n -t x1
echo == auxv; od -A d -t x8 /proc/self/auxv
echo == addresses; for i in 1 2 3; do sh -c 'grep -E "stack|heap|vdso" /proc/self/maps'; done
echo == processes; ps
echo == uname; uname -a; date; id; env; hostname; echo $$
echo == instructions; chance rdtsc rdtscp rdtsc
echo == dmesg; dmesg
`

// TestSourcesOfChance runs a board with the same seed where the host is as
// different as one machine can be: another folder for temporary files, another
// environment, other limits, another CPU, and load. The guest sees nothing of it.
func TestSourcesOfChance(t *testing.T) {
	root := guesttest.Rootfs(t, guesttest.Program(t, "backplane/tests/programs/chance"))
	text, counter := sources, doctor.Counter()
	if counter != nil { // the rest holds here as well
		text = strings.ReplaceAll(text, "chance rdtsc rdtscp rdtsc", "echo none")
	}
	if err := os.WriteFile(filepath.Join(root, "sources"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	file := scenarioFile(t, root, `seed = 11
[[step]]
exec = { board = "b", command = ["sh", "/sources"] }
[[step]]
wait = "1500ms"
exec = { board = "b", command = ["sh", "/sources"] }
`)
	record := func(prefix string, env ...string) string {
		dir := t.TempDir()
		cmd := exec.Command("sh", "-c", prefix+` exec "$0" "$@"`, backplane(t), "run", file, "--out", dir)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return dir
	}
	first := record("")
	cpu := firstCPU(t)
	hog(t, cpu)
	second := record(fmt.Sprintf("ulimit -c 0; ulimit -s 4096; ulimit -n 500; umask 077; cd /; nice -n 5 taskset -p -c %d $$ >/dev/null;", cpu),
		"TMPDIR="+t.TempDir(), "LANG=tr_TR.UTF-8", "TZ=Asia/Kolkata", "COLUMNS=17", "LD_BIND_NOW=1", "GOGC=5")
	d, err := verify.Comparison{Start: guesttest.Start}.Compare(first, second)
	if err != nil {
		t.Fatal(err)
	}
	if d != nil {
		t.Error(d.Text("here", "there"))
	}

	log, err := os.ReadFile(filepath.Join(first, "console/b.log"))
	if err != nil {
		t.Fatal(err)
	}
	console := string(log)
	for _, s := range strings.Fields("cpuinfo self/maps urandom auxv addresses processes uname instructions dmesg") {
		if !regexp.MustCompile(`== ` + s + `\r?\n[^=]`).MatchString(console) {
			t.Errorf("%s is missing", s)
		}
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(console, strings.TrimSpace(string(release))) {
		t.Errorf("the guest knows the host's kernel, %s", release)
	}
	if m := regexp.MustCompile(`(?m)^flags\s*: (.*?)\r?$`).FindStringSubmatch(console); m == nil || m[1] != "fpu tsc cx8 cmov mmx fxsr sse sse2" {
		t.Errorf("the CPU's features are %q", m)
	}
	t.Run("counter", func(t *testing.T) {
		if counter != nil {
			t.Skip(counter)
		}
		checkCounter(t, console)
	})
}

// checkCounter: the time stamp counter follows virtual time, a cycle is a nanosecond.
func checkCounter(t *testing.T, console string) {
	t.Helper()
	var last uint64
	for i, m := range regexp.MustCompile(`(?m)^rdtscp? (\d+)\r?$`).FindAllStringSubmatch(console, -1) {
		v, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil || v <= last {
			t.Fatalf("the counter goes from %d to %s, %v", last, m[1], err)
		}
		if limits := [...]uint64{1e9, 3e9}[i/3]; v > limits || i >= 3 && v < 15e8 {
			t.Errorf("the counter is %d at the time of reading %d", v, i)
		}
		last = v
	}
	if last < 15e8 {
		t.Error("the counter was not read")
	}
}
