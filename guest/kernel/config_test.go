package kernel

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKernelConfig(t *testing.T) {
	source := tree(t, good)
	tests := []struct{ name, extra, config, want string }{
		{"good", "# mine\n\nCONFIG_KPROBES=y\n", "CONFIG_KPROBES=y", ""},
		{"not set", "CONFIG_KPROBES=y\n# CONFIG_PM_SLEEP is not set\n", "CONFIG_PM_SLEEP=n", ""},
		{"another value", "CONFIG_LOG_BUF_SHIFT=20\n", "CONFIG_LOG_BUF_SHIFT=20", ""},
		{"of a choice", "CONFIG_DEBUG_INFO_DWARF5=y\n", "CONFIG_DEBUG_INFO_DWARF5=y", ""},
		{"no line", "CONFIG_KPROBES=y\nKPROBES\nCONFIG_KPROBES\n", "", "my.config:2:1: \"KPROBES\" is not a line of a kernel configuration: write CONFIG_NAME=y, or another value\n" +
			"my.config:3:1: \"CONFIG_KPROBES\" is not a line of a kernel configuration: write CONFIG_NAME=y, or another value"},
		{"unknown", "CONFIG_KPROBE=y\nCONFIG_KPROBES=y\nCONFIG_QQQQQQQQ=y", "", "my.config:1:1: CONFIG_KPROBE is not an option of this kernel: did you mean \"CONFIG_KPROBES\"?\n" +
			"my.config:3:1: CONFIG_QQQQQQQQ is not an option of this kernel"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := Builder{Flavour: Virtual, Recipe: Recipe{Source: source, Config: []Fragment{{"my.config", []byte(tt.extra)}}}, Cache: t.TempDir(),
				Nearest: func(word string, known []string) string {
					if i := slices.Index(known, word+"S"); i >= 0 {
						return known[i]
					}
					return ""
				}}
			image, err := b.Build(t.Context())
			if tt.want != "" {
				var problems Problems
				if !errors.As(err, &problems) || problems.Error() != tt.want {
					t.Fatalf("got %v, want %s", err, tt.want)
				}
				nothingLeft(t, b.Cache)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			config, err := os.ReadFile(filepath.Join(filepath.Dir(image.Path), "config"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(config), tt.config+"\n") {
				t.Errorf("the kernel's configuration lacks %s", tt.config)
			}
			if strings.Contains(tt.config, "DWARF5") && strings.Contains(string(config), "DEBUG_INFO_NONE") {
				t.Error("Backplane's own choice stands beside the board's")
			}
		})
	}
}

func TestUnmet(t *testing.T) {
	c := &config{order: strings.Split("E A B C D F G", " "), want: map[string]setting{
		"A": {name: "A", value: "y", file: "f", line: 1}, "B": {name: "B", value: "m", file: "f", line: 2},
		"C": {name: "C", value: "n", file: "f", line: 3}, "D": {name: "D", value: "17", file: "f", line: 4},
		"E": {name: "E", value: "y", file: "o", line: 5, own: true}, "F": {name: "F", value: "n", file: "o", line: 6, own: true},
		// G was displaced by something of the same choice
	}}
	got := c.unmet("CONFIG_B=y\nCONFIG_C=y\nCONFIG_D=16\n# CONFIG_E is not set\nCONFIG_F=y\n",
		options{"A": {depends: []string{"X && Y", "Z"}}})
	want := `f:1:1: CONFIG_A=y is not possible (it depends on X && Y, and on Z)
f:3:1: CONFIG_C=n is not possible: another option of the configuration needs it
f:4:1: CONFIG_D=17 is not possible
o:5:1: CONFIG_E=y is set by Backplane, and conflicts with the rest of the configuration: CONFIG_E=n in kernel_config turns it off`
	if diff := cmp.Diff(want, got.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadKconfig(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"Kconfig":               "config A\n\tbool\n\tdepends on B\n\thelp\n\t  A.\n\nsource \"lib/Kconfig.debug\"\n",
		"lib/Kconfig.debug":     "menuconfig B\n\tbool\nif B\nchoice\n\tprompt \"which\"\n\tdepends on X\nconfig C1\n\tbool\nconfig C2\n\tbool\n\tdepends on Y\nendchoice\nconfig D\n\tbool\nendif\n",
		"arch/arm/Kconfig":      "config A\n\tdepends on ARM\nchoice\nconfig E\nendchoice\n",
		"Documentation/conf.md": "config F\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := readKconfig(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := options{"A": {depends: []string{"B", "ARM"}}, "B": {}, "C1": {choice: 2}, "C2": {choice: 2, depends: []string{"Y"}}, "D": {}, "E": {choice: 1}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(option{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
