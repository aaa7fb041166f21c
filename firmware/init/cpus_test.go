package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestCPUs takes CPUs offline and online in a folder that looks like the kernel's.
func TestCPUs(t *testing.T) {
	for _, test := range []struct {
		want int
		err  string
		on   string // what each CPU was told: 0, 1, or - for nothing; CPU 0 cannot be
	}{
		{want: 3, on: "----"},
		{want: 4, on: "1---"},
		{want: 2, on: "---0"},
		{want: 1, on: "--00"},
		{want: 0, err: "0 CPUs: the kernel has 4", on: "----"},
		{want: 5, err: "5 CPUs: the kernel has 4", on: "----"},
	} {
		t.Run(fmt.Sprint(test.want), func(t *testing.T) {
			dir := t.TempDir()
			write := func(name, text string) {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			old := cpuFolder
			cpuFolder = dir
			defer func() { cpuFolder = old }()
			write("present", "0-3\n")
			write("online", "0,2-3\n")
			for cpu := range 4 {
				write(fmt.Sprintf("cpu%d/online", cpu), "-")
			}
			told := 0
			c := &cpus{tell: func(n int) { told = n }}
			if err := c.set(test.want); fmt.Sprint(err) != test.err && (err != nil || test.err != "") {
				t.Errorf("error %v, want %s", err, test.err)
			}
			on := ""
			for _, cpu := range []int{1, 0, 2, 3} {
				b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("cpu%d/online", cpu)))
				if err != nil {
					t.Fatal(err)
				}
				on += string(b)
			}
			if on != test.on {
				t.Errorf("CPUs 1, 0, 2 and 3 were told %s, want %s", on, test.on)
			}
			if told != 3 {
				t.Errorf("%d are told of", told)
			}
		})
	}
}

// TestCPUThatStays: a kernel without hot plug has no such file.
func TestCPUThatStays(t *testing.T) {
	old := cpuFolder
	cpuFolder = t.TempDir()
	defer func() { cpuFolder = old }()
	if err := turn(1, "0"); err == nil || err.Error() != "the kernel cannot take CPU 1 offline or online" {
		t.Errorf("error %v", err)
	}
}
