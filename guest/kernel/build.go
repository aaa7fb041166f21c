package kernel

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// checkTools says which programs a build needs and this machine lacks.
func checkTools() error {
	var missing []string
	for tool, pkg := range map[string]string{"gcc": "gcc", "make": "make", "flex": "flex", "bison": "bison", "bc": "bc", "patch": "patch",
		"tar": "tar", "xz": "xz-utils"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, pkg)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("a kernel cannot be built here: as root, apt-get install %s", strings.Join(missing, " "))
	}
	return nil
}

// unused is what of a kernel tree no User Mode Linux kernel is made of, and
// which is not unpacked. Kconfig files are needed wherever they are.
var unused = []string{
	"--exclude=*/drivers/gpu/*.[ch]", "--exclude=*/drivers/net/ethernet/*.[ch]", "--exclude=*/drivers/net/wireless/*.[ch]",
	"--exclude=*/drivers/media/*.[ch]", "--exclude=*/drivers/scsi/*.[ch]", "--exclude=*/sound/*.[ch]",
	"--exclude=*/Documentation/*.rst", "--exclude=*/Documentation/*.yaml", "--exclude=*/arch/*/boot/dts/*",
	"--exclude=*/tools/testing/*",
}

// build unpacks, patches, configures and compiles in dir. The kernel is then
// dir/out/linux.
func (b *Builder) build(ctx context.Context, cache, dir, logPath string) error {
	log, err := os.Create(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	r := runner{ctx: ctx, dir: dir, log: log}

	b.report("unpack", 2, 0)
	tarball := b.Source
	if tarball == "" {
		deb, _ := cachedPackage(cache)
		if err := r.run("dpkg-deb", "-x", deb, "deb"); err != nil {
			return err
		}
		tarball = filepath.Join(dir, "deb/usr/src/linux-source-"+Series+".tar.xz")
	} else if tarball, err = filepath.Abs(tarball); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "src"), 0o755); err != nil {
		return err
	}
	if err := r.run("tar", append([]string{"-xf", tarball, "-C", "src", "--strip-components=1"}, unused...)...); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "src/arch/um")); err != nil {
		return fmt.Errorf("%s is no kernel tree: it has no arch/um", tarball)
	}
	list, err := patches()
	if err != nil {
		return err
	}
	for _, p := range list {
		r.stdin = strings.NewReader(string(p.text))
		if err := r.run("patch", "-p1", "-d", "src"); err != nil {
			return fmt.Errorf("%s does not apply: %w", p.name, err)
		}
	}
	b.report("configure", 5, 0)
	if err := b.configure(&r); err != nil {
		return err
	}
	return b.compile(&r)
}

func (b *Builder) make(args ...string) []string {
	return append([]string{"-C", "src", "ARCH=um", "O=../out", "KBUILD_BUILD_TIMESTAMP=@0", "KBUILD_BUILD_USER=backplane", "KBUILD_BUILD_HOST=backplane"}, args...)
}

func (b *Builder) configure(r *runner) error {
	if err := os.Mkdir(filepath.Join(r.dir, "out"), 0o755); err != nil {
		return err
	}
	wanted, err := b.config()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.dir, "fragment"), []byte(wanted), 0o644); err != nil {
		return err
	}
	for _, args := range [][]string{
		append([]string{"make"}, b.make("-s", "tinyconfig")...),
		{"src/scripts/kconfig/merge_config.sh", "-m", "-O", "out", "out/.config", "fragment"},
		append([]string{"make"}, b.make("-s", "olddefconfig")...),
	} {
		if err := r.run(args[0], args[1:]...); err != nil {
			return err
		}
	}
	config, err := os.ReadFile(filepath.Join(r.dir, "out/.config"))
	if err != nil {
		return err
	}
	if unmet := Unmet(wanted, string(config)); len(unmet) > 0 {
		return fmt.Errorf("the kernel does not take what its configuration asks for, because of something else that it needs: %s", strings.Join(unmet, ", "))
	}
	return nil
}

// objects is about how many files a build compiles: what progress is measured by.
var objects = map[Flavour]int{Virtual: 1290, SMP: 1330}

func (b *Builder) compile(r *runner) error {
	total, done, begin := objects[b.Flavour], 0, time.Now()
	r.line = func(line string) {
		if !compiled.MatchString(line) {
			return
		}
		done++
		share := min(float64(done)/float64(total), 0.99)
		left := time.Duration(float64(time.Since(begin)) * (1 - share) / share)
		b.report("compile", 8+int(share*92), left)
	}
	defer func() { r.line = nil }()
	return r.run("make", b.make(fmt.Sprintf("-j%d", b.jobs()), "linux")...)
}

var compiled = regexp.MustCompile(`^\s+(CC|AS)\s`)

// runner runs the steps of a build and keeps their log.
type runner struct {
	ctx   context.Context
	dir   string
	log   *os.File
	stdin io.Reader         // of the next step
	line  func(line string) // each line of output
}

// run runs one step. If it is interrupted, all that it has started ends with it.
func (r *runner) run(name string, args ...string) error {
	cmd := exec.CommandContext(r.ctx, name, args...)
	cmd.Dir, cmd.Stdin = r.dir, r.stdin
	r.stdin = nil
	cmd.Env = append(os.Environ(), "LC_ALL=C", "MAKEFLAGS=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = in, in
	fmt.Fprintf(r.log, "+ %s %s\n", name, strings.Join(args, " "))
	err = cmd.Start()
	in.Close()
	if err != nil {
		out.Close()
		return err
	}
	var last []string
	s := bufio.NewScanner(out)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		fmt.Fprintln(r.log, s.Text())
		if last = append(last, s.Text()); len(last) > lastLines {
			last = last[1:]
		}
		if r.line != nil {
			r.line(s.Text())
		}
	}
	out.Close()
	err = cmd.Wait()
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if err != nil {
		return &StepError{Step: filepath.Base(name), Err: err, Last: last, Log: r.log.Name()}
	}
	return nil
}

// lastLines is how much of the log an error shows.
const lastLines = 15

// StepError is a step of a build that failed.
type StepError struct {
	Step string
	Err  error
	Last []string // lines of its output
	Log  string   // where all of it is
}

func (e *StepError) Error() string {
	return fmt.Sprintf("%s: %v\n  %s\n(the whole log: %s)", e.Step, e.Err, strings.Join(e.Last, "\n  "), e.Log)
}

func (e *StepError) Unwrap() error { return e.Err }

// cachedPackage finds Debian's package in the cache, and its version.
func cachedPackage(cache string) (path, version string) {
	found, err := filepath.Glob(filepath.Join(cache, "linux-source-"+Series+"_*_all.deb"))
	if err != nil || len(found) == 0 {
		return "", ""
	}
	path = found[len(found)-1]
	version, _, _ = strings.Cut(strings.TrimPrefix(filepath.Base(path), "linux-source-"+Series+"_"), "_all.deb")
	return path, "debian " + version
}

// keyring is what Debian signs its archive with.
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// fetch gets Debian's package into the cache, with lists and a cache of apt's
// own so that nothing of the machine's changes. apt verifies the signatures.
func fetch(ctx context.Context, cache string) error {
	if path, _ := cachedPackage(cache); path != "" {
		return nil
	}
	if _, err := os.Stat(keyring); err != nil {
		return fmt.Errorf("%w: as root, apt-get install debian-archive-keyring", err)
	}
	mirror, err := aptMirror(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(cache, "fetching-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, d := range []string{"lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return err
		}
	}
	list := fmt.Sprintf("deb [signed-by=%s] %s trixie-backports main\n", keyring, mirror)
	if err := os.WriteFile(filepath.Join(dir, "source.list"), []byte(list), 0o644); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(cache, "fetch.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	r := runner{ctx: ctx, dir: dir, log: log}
	options := []string{"-q",
		"-o", "Dir::Etc::sourcelist=" + filepath.Join(dir, "source.list"), "-o", "Dir::Etc::sourceparts=-",
		"-o", "Dir::State::Lists=" + filepath.Join(dir, "lists"), "-o", "Dir::Cache=" + filepath.Join(dir, "cache"),
		"-o", "APT::Sandbox::User=", "-o", "Acquire::Languages=none",
	}
	if err := r.run("apt-get", append(options, "update")...); err != nil {
		return err
	}
	if err := r.run("apt-get", append(options, "download", "linux-source-"+Series)...); err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, "linux-source-*.deb"))
	if err != nil || len(found) != 1 {
		return errors.New("apt-get downloaded no package")
	}
	name := strings.ReplaceAll(filepath.Base(found[0]), "%3a", "")
	return os.Rename(found[0], filepath.Join(cache, name))
}

// aptMirror is the address of the machine's own Debian mirror.
func aptMirror(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages").Output()
	if err != nil {
		return "", fmt.Errorf("ask apt for its mirror: %w", err)
	}
	for _, line := range strings.Fields(string(out)) {
		if strings.HasSuffix(strings.TrimSuffix(line, "/"), "debian") {
			return line, nil
		}
	}
	return "", errors.New("apt knows no Debian mirror: is this Debian, and was apt-get update run?")
}
