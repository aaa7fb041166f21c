package chips

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"backplane/periph"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// TestAT24C32Probe replays at24_probe of drivers/misc/eeprom/at24.c, and then
// what writing and reading its file in sysfs does: while the part writes it
// does not acknowledge, and the driver tries again.
func TestAT24C32Probe(t *testing.T) {
	b := powerOn(t, at24c32, nil)
	b.run("W 00 00 R ff", "W 00 14 01 02 03")
	b.wait(at24c32Cycle)
	b.run("W 00 14 R 01 02 03 !") // the cycle ends now
	b.wait(1)
	b.run("W 00 14 R 01 02 03")
	if got := b.chip.Get("writes").Int(); got != 1 {
		t.Errorf("writes is %d, want 1", got)
	}
	if diff := cmp.Diff([]string{"writes=1"}, b.changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestAT24C32Memory(t *testing.T) {
	tests := []struct {
		name  string
		write string
		want  []string
	}{
		{"a byte", "W 01 23 5a", []string{"W 01 23 R 5a", "W 01 22 R ff 5a ff"}},
		{"over the end of a page", "W 00 3e 01 02 03 04", []string{"W 00 3e R 01 02", "W 00 20 R 03 04", "W 00 40 R ff ff"}},
		{"more than a page", "W 00 00 " + "00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f" + " aa bb",
			[]string{"W 00 00 R aa bb 02", "W 00 1e R 1e 1f ff"}},
		{"the upper four address bits", "W f0 10 5a", []string{"W 00 10 R 5a"}},
		{"reads roll over at the end", "W 0f ff 5a", []string{"W 0f ff R 5a ff", "W 0f fe", "R ff 5a", "R ff"}},
		{"reads go on", "W 00 00 01 02 03", []string{"W 00 00 R 01", "R 02", "R 03"}},
		{"nothing without STOP after it", "W 00 00 5a R ff", []string{"W 00 00 R ff"}},
		{"address alone", "W 00 00", []string{"R ff"}},
		{"probe", "W", []string{"W 00 00 R ff"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := powerOn(t, at24c32, nil)
			b.run(tt.write)
			b.wait(at24c32Cycle + 1)
			b.run(tt.want...)
		})
	}
}

// TestAT24C32WriteProtect checks that a protected part acknowledges, writes
// nothing, and is ready at once.
func TestAT24C32WriteProtect(t *testing.T) {
	tests := []struct {
		name    string
		protect func(*bench)
	}{
		{"property", func(b *bench) { b.set("write_protect", periph.On(true)) }},
		{"pin", func(b *bench) { b.drive("wp", wire.High) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := powerOn(t, at24c32, nil)
			tt.protect(b)
			b.run("W 00 00 5a", "W 00 00 R ff")
			if got := b.chip.Get("writes").Int(); got != 0 {
				t.Errorf("writes is %d, want 0", got)
			}
			b.set("write_protect", periph.On(false))
			b.drive("wp", wire.Low)
			b.run("W 00 00 5a")
			b.wait(at24c32Cycle + 1)
			b.run("W 00 00 R 5a")
		})
	}
}

func TestAT24C32File(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "eeprom.bin")
	values := map[string]periph.Value{"file": periph.Str(file)}
	contents := func() []byte {
		t.Helper()
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := bytes.Repeat([]byte{0xff}, 4096)

	b := powerOn(t, at24c32, values)
	if !bytes.Equal(contents(), want) {
		t.Error("a missing file is not made with 4096 times 0xff")
	}
	b.run("W 00 00 01")
	b.wait(at24c32Cycle + 1)
	if want[0] = 1; !bytes.Equal(contents(), want) {
		t.Error("the file does not have the byte after the write cycle")
	}
	b.run("W 00 01 02")
	if err := b.chip.Close(); err != nil {
		t.Fatal(err)
	}
	if want[1] = 2; !bytes.Equal(contents(), want) {
		t.Error("the file does not have the byte whose write cycle was under way at the end")
	}
	powerOn(t, at24c32, values).run("W 00 00 R 01 02 ff")

	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v (%v), want the file alone", entries, err)
	}
}

func TestAT24C32FileErrors(t *testing.T) {
	dir := t.TempDir()
	short := filepath.Join(dir, "short.bin")
	if err := os.WriteFile(short, make([]byte, 4095), 0o644); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, file string }{
		{"wrong size", short}, {"a folder", dir}, {"in no folder", filepath.Join(dir, "no", "eeprom.bin")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := &periph.Env{Pin: func(string) *wire.Pin { return new(wire.Wire).NewPin("wp") }, Path: func(name string) string { return name }}
			o := &periph.Options{Values: map[string]periph.Value{"file": periph.Str(tt.file)}}
			if _, err := at24c32.New(env, o); err == nil {
				t.Error("there is no error")
			}
		})
	}
}
