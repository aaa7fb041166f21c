package at24c32

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/periph/i2c"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// TestProbe replays at24_probe of drivers/misc/eeprom/at24.c, and then
// what writing and reading its file in sysfs does: while the part writes it
// does not acknowledge, and the driver tries again.
func TestProbe(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Run("W 00 00 R ff", "W 00 14 01 02 03")
	b.Wait(cycle)
	b.Run("W 00 14 R 01 02 03 !") // the cycle ends now
	b.Wait(1)
	b.Run("W 00 14 R 01 02 03")
	if got := b.Chip.Get("writes").Int(); got != 1 {
		t.Errorf("writes is %d, want 1", got)
	}
	if diff := cmp.Diff([]string{"writes=1"}, b.Changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestMemory(t *testing.T) {
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
			b := chiptest.PowerOn(t, Model, nil)
			b.Run(tt.write)
			b.Wait(cycle + 1)
			b.Run(tt.want...)
		})
	}
}

// TestWriteProtect checks that a protected part acknowledges, writes
// nothing, and is ready at once.
func TestWriteProtect(t *testing.T) {
	tests := []struct {
		name    string
		protect func(*chiptest.Bench)
	}{
		{"property", func(b *chiptest.Bench) { b.Set("write_protect", periph.On(true)) }},
		{"pin", func(b *chiptest.Bench) { b.Drive("wp", wire.High) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := chiptest.PowerOn(t, Model, nil)
			tt.protect(b)
			b.Run("W 00 00 5a", "W 00 00 R ff")
			if got := b.Chip.Get("writes").Int(); got != 0 {
				t.Errorf("writes is %d, want 0", got)
			}
			b.Set("write_protect", periph.On(false))
			b.Drive("wp", wire.Low)
			b.Run("W 00 00 5a")
			b.Wait(cycle + 1)
			b.Run("W 00 00 R 5a")
		})
	}
}

func TestFile(t *testing.T) {
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

	b := chiptest.PowerOn(t, Model, values)
	if !bytes.Equal(contents(), want) {
		t.Error("a missing file is not made with 4096 times 0xff")
	}
	b.Run("W 00 00 01")
	b.Wait(cycle + 1)
	if want[0] = 1; !bytes.Equal(contents(), want) {
		t.Error("the file does not have the byte after the write cycle")
	}
	env := &periph.Env{Pin: func(string) *wire.Pin { return new(wire.Wire).NewPin("wp") }, Path: func(name string) string { return name }}
	if _, err := Model.New(env, &periph.Options{Values: values}); err == nil || err.Error() != file+" is in use by another run or command" {
		t.Errorf("another chip has the file as well: %v", err)
	}
	b.Run("W 00 01 02")
	if err := b.Chip.Close(); err != nil {
		t.Fatal(err)
	}
	if want[1] = 2; !bytes.Equal(contents(), want) {
		t.Error("the file does not have the byte whose write cycle was under way at the end")
	}
	chiptest.PowerOn(t, Model, values).Run("W 00 00 R 01 02 ff")

	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder has %v (%v), want the file alone", entries, err)
	}
}

func TestFileErrors(t *testing.T) {
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
			if _, err := Model.New(env, o); err == nil {
				t.Error("there is no error")
			}
		})
	}
}

func TestPower(t *testing.T) {
	file := filepath.Join(t.TempDir(), "eeprom.bin")
	page := bytes.Repeat([]byte{0x0f}, pageSize)
	torn := func(after time.Duration) []byte {
		_ = os.Remove(file)
		b := chiptest.PowerOn(t, Model, map[string]periph.Value{"file": periph.Str(file)})
		target, _ := i2c.TargetOf(b.Chip)
		for _, data := range [][]byte{page, bytes.Repeat([]byte{0xf0}, pageSize)} {
			if err := target.Transfer([]i2c.Msg{{Data: append([]byte{0, 0x40}, data...)}}); err != nil {
				t.Fatal(err)
			}
			if data[0] == 0x0f {
				b.Wait(cycle + 1)
			}
		}
		b.Wait(after)
		b.Power(false)
		if got := b.Chip.Get("writes").Int(); got != 2 {
			t.Errorf("writes is %d", got)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b.Power(true)
		b.Run("R ff") // the address counter begins anew
		if n := b.Chip.Get("writes").Int(); n != 0 {
			t.Errorf("writes is %d since power-on", n)
		}
		if rest := append(got[:0x40:0x40], got[0x60:]...); !bytes.Equal(rest, bytes.Repeat([]byte{0xff}, len(rest))) {
			t.Error("other pages have changed")
		}
		return got[0x40:0x60]
	}
	early, late, done := torn(time.Millisecond), torn(4*time.Millisecond), torn(cycle+1)
	if !bytes.Equal(early, torn(time.Millisecond)) {
		t.Error("the same run tears the write differently")
	}
	for i := range early {
		if early[i]&0x0f != 0x0f || late[i]&0xf0 != 0xf0 || done[i] != 0xf0 {
			t.Errorf("byte %d: %#x while it was erased, %#x while it was programmed, %#x later", i, early[i], late[i], done[i])
		}
	}
	if bytes.Equal(early, page) || bytes.Equal(late, done) {
		t.Errorf("nothing is torn: %x, %x", early, late)
	}
}
