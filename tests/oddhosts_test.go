package tests

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"backplane/tests/guesttest"

	"golang.org/x/sys/unix"
)

// oddCommands are what is tried on each odd host, a word and its status for each: $B is
// the program, $D where the files are.
const oddCommands = `
t() { name=$1; shift; timeout -k 5 60 "$@" || eval "$name=$?"; }
check=0 run=0 up=0 ps=0 exec=0 down=0
t check "$B" check "$D/s.toml"
t run "$B" run "$D/s.toml"
t doctor "$B" doctor
t parts "$B" parts relay
t up "$B" up --detach "$D/b.toml"
t ps "$B" ps
t exec "$B" exec b echo done
t down "$B" down
echo "check $check run $run up $up ps $ps exec $exec down $down" >&9
ls -A "$T" "$T"/backplane-user-* >&8 2>/dev/null
exit 0
`

// TestOddHosts does a little of everything in surroundings that nobody has thought of:
// all works, or it is said what is wrong, with the right status, and nothing stays.
func TestOddHosts(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can mount, and be another user")
	}
	const (
		all     = "check 0 run 0 up 0 ps 0 exec 0 down 0"
		refused = "check 0 run 3 up 3 ps 2 exec 2 down 2"
		unheard = "check 0 run 0 up 3 ps 3 exec 3 down 3"
		unsaid  = "check 3 run 3 up 3 ps 3 exec 3 down 0"
		// asUser makes what comes after it an ordinary user's.
		asUser = `set -- setpriv --reuid 12345 --regid 12345 --clear-groups "$@"; `
		named  = `x="$T/$NAME"; mkdir "$x" || exit 9; T=$x; export TMPDIR="$x"; `
	)
	tests := []struct {
		name, prepare string // a line of shell, before "$@" is executed; $T is TMPDIR
		want, said    string
	}{
		{"nothing odd", ``, all, ""},
		{"an ordinary user", asUser, all, ""},
		{"no HOME", `unset HOME XDG_CACHE_HOME`, refused, "neither $XDG_CACHE_HOME nor $HOME are defined (XDG_CACHE_HOME names one)"},
		{"a relative HOME", `unset XDG_CACHE_HOME; export HOME=home`, refused, "path in $HOME is relative (XDG_CACHE_HOME names one)"},
		{"a relative XDG_CACHE_HOME", `export XDG_CACHE_HOME=cache`, refused, "path in $XDG_CACHE_HOME is relative"},
		{"a relative XDG_RUNTIME_DIR", `export XDG_RUNTIME_DIR=run`, unheard, `XDG_RUNTIME_DIR is "run"; it must be an absolute path`},
		{"an XDG_RUNTIME_DIR that is a file", `export XDG_RUNTIME_DIR=/etc/passwd`, unheard, "not a directory (XDG_RUNTIME_DIR can name another place)"},
		{"an XDG_RUNTIME_DIR whose path is longer than a socket's", `export XDG_RUNTIME_DIR=$T/backplane-user-$(printf %0120d 0)`, all, ""},
		{"a TMPDIR that is not there", `export TMPDIR=$T/none`, refused, "mkdir "},
		{"a relative TMPDIR", `cd "${T%/*}"; export TMPDIR=${T##*/}`, all, ""},
		{"a TMPDIR of a pattern", `NAME='a*[b] \c'; ` + named, all, ""},
		{"a TMPDIR that is no UTF-8", `NAME=$(printf '\377'); ` + named, refused, `\xff" is not UTF-8 text`},
		{"a TMPDIR that can only be read", `mount -t tmpfs -o ro none "$T"`, refused, "read-only file system (TMPDIR can name another place)"},
		{"a TMPDIR with no inodes", `mount -t tmpfs -o nr_inodes=6,mode=1777 none "$T"`, refused, "more files (inodes), and the appliance needs 14 there"},
		{"a mask that forbids all", `umask 777; ` + asUser, all, ""},
		{"a mask that forbids nothing", `umask 000; ` + asUser, all, ""},
		{"no standard input", `exec <&-`, all, ""},
		{"no standard output", `exec >&-`, all, ""},
		{"no standard error", `exec 2>&-`, all, ""},
		{"a standard output that is full", `exec >/dev/full`, unsaid, "no space left on device"},
		{"a standard error that is full", `exec 2>/dev/full`, all, ""},
		{"a standard output that can only be read", `exec 1</dev/null`, unsaid, "bad file descriptor"},
		{"a standard input that is a folder", `exec </`, all, ""},
		{"others' processes hidden", `mount -t proc -o hidepid=2 none /proc; ` + asUser, all, ""},
		{"a /proc of processes only", `mount -t proc -o subset=pid none /proc`, refused, "/proc/cpuinfo: no such file or directory"},
		{"no /proc", `mount -t tmpfs none /proc`, refused, "readlink /proc/self/exe: no such file or directory"},
		{"a folder that has gone", `mkdir "$T/d"; cd "$T/d"; rmdir "$T/d"`, all, ""},
		{"a folder that cannot be read", `mkdir -m 0 "$T/backplane-user-d"; cd "$T/backplane-user-d"; ` + asUser, all, ""},
		{"a language that there is not", `export LC_ALL=xx_YY.ebcdic LANG=tr_TR TZ=Nowhere/None TERM=`, all, ""},
		{"a large environment", `for i in 0 1 2 3 4 5 6 7 8 9; do export "X$i=$(printf %0120000d 0)"; done`, all, ""},
		{"no terminal, and signals ignored", `trap "" HUP INT QUIT PIPE CHLD ALRM USR1 WINCH IO TTOU; set -- setsid -w "$@"`, all, ""},
		{"few processes", asUser + `set -- prlimit --nproc=20 "$@"`, refused, "this user may have 20"},
	}
	root := guesttest.Rootfs(t)
	dir := writeFiles(t, map[string]string{
		"b.toml": fmt.Sprintf("name = \"b\"\n[firmware]\nrootfs = [%q]\n", root),
		"s.toml": "appliance = \"b.toml\"\n[[step]]\nexec = { board = \"b\", command = [\"/bin/true\"] }\n",
	})
	program := forAll(t, dir)
	for d := root; d != os.TempDir() && d != "/"; d = filepath.Dir(d) { // a user's board has it too
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tmp := filepath.Join(dir, "tmp")
			if err := os.RemoveAll(tmp); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(tmp, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(tmp, 0o777|os.ModeSticky); err != nil {
				t.Fatal(err)
			}
			// Kernels are root's, and to be found by all. The odd mounts come after that.
			const prepare = `mkdir -p "$D/cache"; mount --bind "$CACHE" "$D/cache"; export XDG_CACHE_HOME="$D/cache"; `
			cmd := exec.Command("unshare", "-m", "/bin/sh", "-c", prepare+"\n"+tt.prepare+"\n"+`exec "$@"`, "sh", "/bin/sh", "-c", oddCommands)
			cache, err := os.UserCacheDir()
			if err != nil {
				t.Fatal(err)
			}
			cmd.Env = append(without("XDG_RUNTIME_DIR"), "B="+program, "D="+dir, "T="+tmp, "TMPDIR="+tmp, "CACHE="+cache)
			cmd.Dir = dir
			var out, left, results bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			pipes := passTo(t, cmd, &left, &results)
			if err := cmd.Run(); err != nil {
				t.Errorf("%v\n%s", err, &out)
			}
			pipes()
			if got := strings.TrimSpace(results.String()); got != tt.want {
				t.Errorf("status %s, want %s\n%s", got, tt.want, &out)
			}
			if !strings.Contains(out.String(), tt.said) || strings.Contains(out.String(), "goroutine ") || strings.Contains(out.String(), "panic") {
				t.Errorf("want %q in\n%s", tt.said, &out)
			}
			if oddLeft.Match(left.Bytes()) {
				t.Errorf("left behind:\n%s", &left)
			}
		})
	}
}

// oddLeft is what may not be there afterwards: a run folder, or a file of a socket's.
var oddLeft = regexp.MustCompile(`(?m)^backplane-[0-9]|\.(sock|lock|log)$`)

// passTo has a command write to descriptors 8 and 9, and hands on what comes. The
// function that it returns waits for the end of that.
func passTo(t *testing.T, cmd *exec.Cmd, eight, nine *bytes.Buffer) (wait func()) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer t.Cleanup(func() { null.Close() })
	cmd.ExtraFiles = []*os.File{null, null, null, null, null} // 3 to 7
	var writers []*os.File
	done := make(chan bool, 2)
	for _, to := range []*bytes.Buffer{eight, nine} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExtraFiles, writers = append(cmd.ExtraFiles, w), append(writers, w)
		go func() {
			_, _ = to.ReadFrom(r)
			r.Close()
			done <- true
		}()
	}
	return func() {
		for _, w := range writers {
			w.Close()
		}
		<-done
		<-done
	}
}

// without is the environment but for some variables.
func without(names ...string) (env []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		keep := true
		for _, n := range names {
			keep = keep && n != name
		}
		if keep {
			env = append(env, v)
		}
	}
	return env
}

// TestHangupThatIsIgnored: an appliance that was started with nohup outlives its
// terminal, and one that a script has started in the background a Ctrl-C; others do not.
func TestHangupThatIsIgnored(t *testing.T) {
	for _, tt := range []struct {
		signal  string
		number  unix.Signal
		ignored bool
	}{{"HUP", unix.SIGHUP, true}, {"INT", unix.SIGINT, true}, {"HUP", unix.SIGHUP, false}, {"INT", unix.SIGINT, false}} {
		t.Run(fmt.Sprintf("%s ignored %t", tt.signal, tt.ignored), func(t *testing.T) {
			s := place(t)
			script := `exec "$@"`
			if tt.ignored {
				script = `trap "" ` + tt.signal + `; exec "$@"`
			}
			s.up = exec.Command("/bin/sh", "-c", script, "sh", backplane(t), "up", "--clock", "virtual", s.file())
			s.up.Env = append(os.Environ(), s.env...)
			if err := s.up.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.up.Process.Kill() })
			for s.client("wait", "up").Run() != nil { // it does not listen yet
				time.Sleep(10 * time.Millisecond)
			}
			if err := s.up.Process.Signal(tt.number); err != nil {
				t.Fatal(err)
			}
			if !tt.ignored {
				if err := s.up.Wait(); err != nil {
					t.Errorf("it ends with %v", err)
				}
				return
			}
			s.do(0, "", "exec", "b", "true")
			s.down()
		})
	}
}
