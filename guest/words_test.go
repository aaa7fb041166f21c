package guest

import (
	"strings"
	"testing"
	"time"

	"backplane/guest/kernel"
)

// TestWords: what a board needs, in the words of User Mode Linux.
func TestWords(t *testing.T) {
	const always = "con=none console=hvc0 dtb=a.dtb initrd=b.cpio sysctl.vm.overcommit_memory=1 bonding.max_bonds=0 mem_sleep_default=s2idle"
	clock := &Clock{Socket: "c.sock", Syscall: time.Microsecond, Read: 256}
	ours := kernel.Facts{SMP: true, Seccomp: true}
	for _, tt := range []struct {
		name string
		c    Config
		want string
	}{
		{"real time", Config{CPUs: 1, Kernel: kernel.Image{Facts: ours}}, "seccomp=on"},
		{"several CPUs", Config{CPUs: 4, Kernel: kernel.Image{Facts: ours}}, "seccomp=on ncpus=4"},
		{"virtual time", Config{CPUs: 4, Kernel: kernel.Image{Facts: ours}, Clock: clock}, "seccomp=on time-travel=ext:1:c.sock um_time.syscall=1000 um_time.clock_read=256"},
		{"an old kernel", Config{CPUs: 4}, ""},
		{"more words", Config{CPUs: 1, Args: []string{"quiet", "loglevel=3"}}, "quiet loglevel=3"},
	} {
		tt.c.Tree, tt.c.Initrd = "a.dtb", "b.cpio"
		if got, want := strings.Join(tt.c.words(), " "), strings.TrimSpace(always+" "+tt.want); got != want {
			t.Errorf("%s: %q, want %q", tt.name, got, want)
		}
	}
}

func TestPanicIn(t *testing.T) {
	for _, tt := range []struct{ name, line, want string }{
		{"a panic", "[    0.440000] Kernel panic - not syncing: x", "Kernel panic - not syncing: x"},
		{"after a program's beginning of a line", "gs [1]   [   12.440000] Kernel panic - not syncing: x", "Kernel panic - not syncing: x"},
		{"with a caller", "[    0.440000] init: Kernel panic", ""},
		{"a program that talks of one", "Kernel panic - not syncing", ""},
		{"no stamp", "[error] Kernel panic", ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := PanicIn(tt.line); got != tt.want {
				t.Errorf("PanicIn(%q) = %q, want %q", tt.line, got, tt.want)
			}
		})
	}
}
