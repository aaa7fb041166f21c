package boards_test

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMountPoints has a file where init mounts something, in the last layer that has
// the name, or in one before.
func TestMountPoints(t *testing.T) {
	tests := []struct {
		name   string
		layers []string // what each has as dev
		want   string
	}{
		{"a folder", []string{"folder"}, ""},
		{"a file", []string{"folder", "file"}, "b.toml:3:20: 1/dev is a file; it must be a folder or absent: the board's init mounts devtmpfs there"},
		{"a file below a folder", []string{"file", "folder"}, ""},
		{"a file below nothing", []string{"file", ""}, "b.toml:3:11: 0/dev is a file; it must be a folder or absent: the board's init mounts devtmpfs there"},
		{"a link", []string{"link"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := "name = 'b'\n[firmware]\nrootfs = ["
			for i := range tt.layers {
				text += "'" + string(rune('0'+i)) + "',     "
			}
			file := write(t, "b.toml", text+"]\n")
			for i, dev := range tt.layers {
				name := filepath.Join(filepath.Dir(file), string(rune('0'+i)), "dev")
				err := os.MkdirAll(filepath.Dir(name), 0o755)
				switch {
				case err != nil:
				case dev == "folder":
					err = os.Mkdir(name, 0o755)
				case dev == "file":
					err = os.WriteFile(name, nil, 0o644)
				case dev == "link":
					err = os.Symlink("usr", name)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if got := mistakes(t, file); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
