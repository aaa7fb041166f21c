package opening_test

import (
	"os"
	"path/filepath"
	"testing"

	"backplane/simbus/serial"
	"backplane/simbus/serial/outlet"
	"backplane/simbus/serial/outlet/opening"
)

// TestOpen opens each kind of way. One that leads nowhere is a pseudo terminal without a link.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	socket, link := filepath.Join(dir, "socket"), filepath.Join(dir, "link")
	for _, tt := range []struct {
		way  outlet.Way
		name string
	}{
		{outlet.Way{Listen: "unix:" + socket}, "unix:" + socket},
		{outlet.Way{Pty: link}, link},
		{outlet.Way{}, ""},
	} {
		o, err := opening.Open(tt.way, outlet.Settings{Format: serial.EightN1(serial.Baud(9600))})
		if err != nil {
			t.Errorf("%+v: %v", tt.way, err)
			continue
		}
		if name := o.Name(); tt.name != "" && name != tt.name {
			t.Errorf("%+v is %s", tt.way, name)
		} else if _, err := os.Stat(name); tt.name == "" && err != nil {
			t.Errorf("%+v: %v", tt.way, err)
		}
		if err := o.Close(); err != nil {
			t.Errorf("%+v: close: %v", tt.way, err)
		}
	}
}
