package tests

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"backplane/guest/kernel"
	"backplane/tests/guesttest"
)

// ownKernel is a board with a kernel of its own beside one with Backplane's.
const ownKernel = `
name = "two"

[[board]]
name = "own"
file = "own.toml"

[[board]]
name = "plain"
file = "plain.toml"

[[segment]]
name = "lan"
ports = ["own.eth0", "plain.eth0"]
`

// kernelsBoard has one of each kind of part; its root file system, kernel and number are left open.
const kernelsBoard = `
name = "board%d"
memory = "48M"

[firmware]
rootfs = [%q]

%s

[[gpio]]
name = "gpio0"
lines = ["alert", "rtc_int", "led"]

[[i2c]]
name = "i2c0"

  [[i2c.chip]]
  name = "temp0"
  model = "tmp102"
  address = 0x48
  temperature = 21.5

[[ethernet]]
name = "eth0"
address = "10.0.0.%d/24"
`

// startKernels starts a board with that [firmware.kernel] and one without.
func startKernels(t *testing.T, table string, files map[string]string, o guesttest.Options) *guesttest.App {
	t.Helper()
	root := guesttest.Rootfs(t)
	all := map[string]string{"main.toml": ownKernel, "own.toml": fmt.Sprintf(kernelsBoard, 1, root, table, 1), "plain.toml": fmt.Sprintf(kernelsBoard, 2, root, "", 2)}
	for name, text := range files {
		all[name] = text
	}
	return guesttest.Run(t, all, o)
}

// works looks whether a board's parts work with its kernel, and its kernel with the other's.
func works(t *testing.T, app *guesttest.App) {
	t.Helper()
	app.MustSet("own.temp0.temperature", "-12.5")
	for _, test := range []struct{ name, script, want string }{
		{"I2C and hwmon", "sleep 1; cat /sys/class/hwmon/hwmon0/temp1_input", "-12500\n"},
		{"GPIO", "ls /dev/gpiochip0", "/dev/gpiochip0\n"},
		{"its clock", "a=$(date +%s); sleep 2; b=$(date +%s); [ $((b - a)) -ge 2 ] && echo goes on", "goes on\n"},
		{"signals", "sleep 100 & kill $!; wait $!; echo $?", "143\n"},
		{"many programs", "i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i+1)); done; echo $i", "50\n"},
		{"Ethernet", "ping -q -c 3 10.0.0.2 | grep -o '3 packets received'", "3 packets received\n"},
		{"nothing that the kernel complains of", "dmesg | grep -e WARNING -e BUG: -e 'cut here' -e 'please consider fixing' || true", ""},
	} {
		if got := app.Sh("own", test.script); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

// TestOwnKernelThatIsBuilt boots a board whose [firmware.kernel] asks for nothing that
// Backplane's kernel does not have: then it is that, and nothing is built.
func TestOwnKernelThatIsBuilt(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		app := startKernels(t, "[firmware.kernel]\nconfig = [\"product.config\"]", map[string]string{"product.config": "# Our product needs it.\nCONFIG_BINFMT_MISC=y\n"}, o)
		works(t, app)
		if own, plain := app.Sh("own", "uname -rv"), app.Sh("plain", "uname -rv"); own != plain {
			t.Errorf("the kernels are %q and %q", own, plain)
		}
	})
}

// TestKernelByItsOwnMeans takes the kernel for one of a series that Backplane has no patches
// for: it makes its memory's file itself, and runs programs by ptrace(2).
func TestKernelByItsOwnMeans(t *testing.T) {
	clocks(t, func(t *testing.T, o guesttest.Options) {
		o.Image = func(image *kernel.Image) { image.Version, image.Seccomp = "7.999.1", false }
		works(t, startKernels(t, "", nil, o))
	})
}

// kernelSources are kernel sources that tests are to build, which takes ten minutes each: a
// list of tarballs and folders with ":" between, "debian" for Debian's package.
func kernelSources(t *testing.T) []string {
	const name = "BACKPLANE_KERNEL_SOURCES"
	list := filepath.SplitList(os.Getenv(name))
	if len(list) == 0 {
		t.Skipf("it builds kernels, which takes ten minutes each: %s=debian:/path/linux-source-6.12.tar.xz has it build those", name)
	}
	return list
}

// TestOwnKernels boots boards with kernels of their own: of other sources, and of Debian's
// with an option and a patch more than Backplane's.
func TestOwnKernels(t *testing.T) {
	for _, source := range kernelSources(t) {
		t.Run(filepath.Base(source), func(t *testing.T) {
			b := kernel.Builder{Flavour: kernel.Virtual}
			table := "[firmware.kernel]\nconfig = [\"product.config\"]\npatches = [\"hello.patch\"]\n"
			look, want := "busybox zcat /proc/config.gz | grep SOFT_WATCHDOG=; cat /proc/hello", "CONFIG_SOFT_WATCHDOG=y\na kernel for our product\n"
			if source != "debian" {
				b.Source = source
				table = fmt.Sprintf("[firmware.kernel]\nsource = %q\n", source)
				look, want = "", ""
			}
			facts, err := b.Facts()
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{"product.config": "CONFIG_SOFT_WATCHDOG=y\n", "hello.patch": helloPatch}
			clocks(t, func(t *testing.T, o guesttest.Options) {
				app := startKernels(t, table, files, o)
				works(t, app)
				if got := app.Sh("own", "uname -r"); !strings.HasPrefix(got, facts.Version) {
					t.Errorf("the kernel is %q, and not %s", got, facts.Version)
				}
				if got := app.Sh("own", look); got != want {
					t.Errorf("of the option and of the patch there is %q", got)
				}
			})
			t.Run("twice the same", func(t *testing.T) {
				var runs [2][]string
				for i := range runs {
					app := startKernels(t, table, files, guesttest.Options{Seed: 1})
					works(t, app)
					for _, e := range app.Events() {
						runs[i] = append(runs[i], string(e.AppendJSON(nil)))
					}
				}
				if !slices.Equal(runs[0], runs[1]) {
					t.Errorf("two runs differ: %d and %d events", len(runs[0]), len(runs[1]))
				}
			})
		})
	}
}

// helloPatch adds a file to /proc.
const helloPatch = `Subject: say hello
---
--- /dev/null
+++ b/fs/proc/hello.c
@@ -0,0 +1,20 @@
+// SPDX-License-Identifier: GPL-2.0
+#include <linux/init.h>
+#include <linux/proc_fs.h>
+#include <linux/seq_file.h>
+
+static int hello_show(struct seq_file *m, void *v)
+{
+	seq_puts(m, "a kernel for our product\n");
+	return 0;
+}
+
+static int __init hello_init(void)
+{
+	if (!proc_create_single("hello", 0, NULL, hello_show))
+		return -ENOMEM;
+
+	return 0;
+}
+
+fs_initcall(hello_init);
--- a/fs/proc/Makefile
+++ b/fs/proc/Makefile
@@ -26,4 +26,5 @@
 proc-y	+= softirqs.o
 proc-y	+= namespaces.o
 proc-y	+= self.o
+proc-y	+= hello.o
 proc-y	+= thread_self.o
`

// TestDebugKernels boots boards whose kernels have means of debugging, and looks whether
// those are there and find nothing to complain of.
func TestDebugKernels(t *testing.T) {
	if !slices.Contains(kernelSources(t), "debian") {
		t.Skip("debian is not among the sources")
	}
	const debugfs = "mount -t debugfs none /sys/kernel/debug; "
	for _, test := range []struct{ debug, script, want string }{
		{`"kasan", "lockdep", "kmemleak"`, debugfs + "sleep 1; echo scan >/sys/kernel/debug/kmemleak; busybox zcat /proc/config.gz | grep -E '^CONFIG_(KASAN|PROVE_LOCKING|DEBUG_KMEMLEAK)='",
			"CONFIG_DEBUG_KMEMLEAK=y\nCONFIG_KASAN=y\nCONFIG_PROVE_LOCKING=y\n"},
		{`"gcov", "symbols"`, debugfs + "find /sys/kernel/debug/gcov -name tmp102.gcda | wc -l", "1\n"},
	} {
		t.Run(test.debug, func(t *testing.T) {
			clocks(t, func(t *testing.T, o guesttest.Options) {
				board := strings.Replace(kernelsBoard, `"48M"`, `"256M"`, 1)
				table := fmt.Sprintf("[firmware.kernel]\ndebug = [%s]\n", test.debug)
				own := fmt.Sprintf(board, 1, guesttest.Rootfs(t), table, 1)
				app := startKernels(t, "", map[string]string{"own.toml": own}, o)
				works(t, app)
				if got := app.Sh("own", test.script); got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		})
	}
}
