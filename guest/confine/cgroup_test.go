package confine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTogether(t *testing.T) {
	root := t.TempDir()
	for file, text := range map[string]string{
		"user.slice/memory.max":                 "17179869184\n",
		"user.slice/run.scope/memory.max":       "8589934592\n",
		"user.slice/run.scope/pids.max":         "8192\n",
		"user.slice/other.scope/memory.max":     "max\n",
		"memory/docker/x/memory.limit_in_bytes": "1073741824\n",
		"memory/memory.limit_in_bytes":          "9223372036854771712\n", // none
		"pids/docker/x/pids.max":                "100\n",
	} {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, groups, want string }{
		{"no group", "", "none"},
		{"the root's", "0::/\n", "none"},
		{"a scope", "0::/user.slice/run.scope\n", "memory 8192 MiB, 8192 processes"},
		{"the limit of the one above", "0::/user.slice/other.scope\n", "memory 16384 MiB"},
		{"version 1", "12:pids:/docker/x\n4:memory:/docker/x\n1:name=systemd:/\n0::/\n", "memory 1024 MiB, 100 processes"},
		{"version 1 without limits", "4:memory:/\n", "none"},
		{"nonsense", "x\n::\n0::../..\n", "none"},
	}
	for _, tt := range tests {
		if got := together(root, tt.groups); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
