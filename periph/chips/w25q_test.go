package chips

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/spi"

	"github.com/google/go-cmp/cmp"
)

// flash is a W25Q128JV that can be written.
func flash(t *testing.T, values map[string]periph.Value) *bench {
	b := powerOn(t, w25q128jv, values)
	b.wait(w25qPowerUpWrite)
	return b
}

// cells reads from an address on, whatever the chip is doing.
func (b *bench) cells(from, n int) string {
	p := make([]byte, n)
	b.chip.(*w25qChip).array.read(p, from)
	return fmt.Sprintf("% x", p)
}

func (b *bench) wantCells(from int, want string) {
	b.t.Helper()
	if got := b.cells(from, (len(want)+1)/3); got != want {
		b.t.Errorf("cells at %#x: %s, want %s", from, got, want)
	}
}

// TestW25QProbe is what Linux's spi-nor driver reads when it binds: the identification,
// the SFDP header and its table, the status registers.
func TestW25QProbe(t *testing.T) {
	for _, m := range []struct {
		model *periph.Model
		id    string
		bits  string // of the second word of the table: the last one's number
		chip  string
	}{{w25q64jv, "ef 40 17", "ff ff ff 03", "c4"}, {w25q128jv, "ef 40 18", "ff ff ff 07", "c9"}} {
		b := powerOn(t, m.model, nil)
		b.runSPI("W 9f R ff ff ff") // not awake yet
		b.wait(w25qPowerUpRead)
		b.runSPI("W 9f R "+m.id+" 00 00 00", "W 5a 00 00 00 00 R 53 46 44 50 05 01 00 ff 00 05 01 10 80 00 00 ff",
			"W 5a 00 00 80 00 R e5 20 80 ff "+m.bits+" 00 00 00 00",
			"W 5a 00 00 9c 00 R 0c 20 0f 52 10 d8 00 00 24 3a a5 00 82 e5 14 "+m.chip,
			"W 05 R 00 00", "W 35 R 02", "W 15 R 60", "W ab 00 00 00 R "+map[string]string{"ef 40 17": "16 16", "ef 40 18": "17 17"}[m.id])
	}
}

// TestW25QIdentities are the older ways to ask for it.
func TestW25QIdentities(t *testing.T) {
	b := flash(t, nil)
	b.runSPI("W 90 00 00 00 R ef 17 ef", "W 90 00 00 01 R 17 ef", "X ab 00 00 00 00 = ff ff ff ff 17")
	unique := func(b *bench) string {
		target, err := spi.TargetOf(b.chip)
		if err != nil {
			t.Fatal(err)
		}
		rx := make([]byte, 13)
		target.Select()
		target.Exchange(append([]byte{0x4b}, rx[1:]...), rx, 8*len(rx))
		target.Deselect()
		return string(rx[5:])
	}
	first, again := unique(b), unique(b)
	if first != again || erased(first) {
		t.Errorf("unique identification %x, then %x", first, again)
	}
}

// TestW25QProgram: programming needs the latch, takes its time, only clears bits, and begins
// the page anew at its end.
func TestW25QProgram(t *testing.T) {
	b := flash(t, nil)
	b.runSPI("W 02 00 12 34 f0", "W 05 R 00") // no latch
	b.wait(time.Second)
	b.wantCells(0x1234, "ff")
	b.runSPI("W 06", "W 05 R 02", "W 04", "W 05 R 00", "W 06", "W 02 00 12 34 f0 0f 55")
	b.runSPI("W 05 R 03", "W 03 00 12 34 R ff ff", "W 06", "W 9f R ff") // busy
	b.wait(34 * time.Microsecond)                                       // 30 and two of 2.5
	b.runSPI("W 05 R 03")
	b.wait(2 * time.Microsecond)
	b.runSPI("W 05 R 00", "W 03 00 12 33 R ff f0 0f 55 ff", "W 0b 00 12 34 00 R f0 0f 55")
	b.runSPI("W 06", "W 02 00 12 34 3c ff 66")
	b.wait(time.Millisecond)
	b.runSPI("W 03 00 12 34 R 30 0f 44")

	b.runSPI("W 06", "W 02 00 20 fe 01 02 03 04") // around the page's end
	b.wait(time.Millisecond)
	b.wantCells(0x20fe, "01 02 ff ff")
	b.wantCells(0x2000, "03 04 ff")
	var long []string
	for i := range 258 {
		long = append(long, fmt.Sprintf("%02x", i/2))
	}
	b.runSPI("W 06", "W 02 00 30 00 "+strings.Join(long, " ")) // the last 256 count
	b.wait(w25qProgramTime - time.Microsecond)
	b.runSPI("W 05 R 03")
	b.wait(2 * time.Microsecond)
	b.runSPI("W 05 R 00")
	b.wantCells(0x3000, "80 80 01 01")
	b.wantCells(0x30fc, "7e 7e 7f 7f ff")
	b.runSPI("W 03 ff ff ff R ff ff") // reads begin anew at the end
	if diff := cmp.Diff([]string{"programs=1", "programs=2", "programs=3", "programs=4"}, b.changed); diff != "" {
		t.Error(diff)
	}
}

// TestW25QWhole: an instruction that has too few or too many bytes, or ends within one, is
// not carried out.
func TestW25QWhole(t *testing.T) {
	b := flash(t, nil)
	b.runSPI("W 06 00", "W 05 R 00", "W 06", "W 02 00 00 00", "W 20 00 00", "W 20 00 00 00 00", "W c7 00", "W 05 R 02")
	target, err := spi.TargetOf(b.chip)
	if err != nil {
		t.Fatal(err)
	}
	target.Select()
	target.Exchange([]byte{0x02, 0, 0, 0, 0x10}, make([]byte, 5), 39)
	target.Deselect()
	b.runSPI("W 05 R 02", "W fe R ff", "W 02 00 00 00 W 11 22") // in two transfers, all of it
	b.wait(time.Second)
	b.wantCells(0, "11 22 ff")
}

// TestW25QErase: sectors and blocks become ones after their time, around the address.
func TestW25QErase(t *testing.T) {
	for _, c := range []struct {
		instruction string
		time        time.Duration
		from, to    int
	}{
		{"20 05 6f ff", w25qSectorTime, 0x56000, 0x57000},
		{"52 05 6f ff", w25qHalfTime, 0x50000, 0x58000},
		{"d8 05 6f ff", w25qBlockTime, 0x50000, 0x60000},
		{"c7", 40 * time.Second, 0, 16 << 20},
		{"60", 40 * time.Second, 0, 16 << 20},
	} {
		b := flash(t, nil)
		places := []int{0, 0x4fff0, 0x50000, 0x55000, 0x56000, 0x56ff0, 0x57000, 0x58000, 0x5fff0, 0x60000}
		for _, at := range places {
			b.runSPI("W 06", fmt.Sprintf("W 02 %02x %02x %02x 00", at>>16, at>>8&255, at&255))
			b.wait(time.Millisecond)
		}
		b.runSPI("W "+c.instruction, "W 05 R 00", "W 06", "W "+c.instruction)
		b.wait(c.time - time.Microsecond)
		b.runSPI("W 05 R 03")
		b.wait(2 * time.Microsecond)
		b.runSPI("W 05 R 00")
		for _, at := range places {
			want := "00"
			if at >= c.from && at < c.to {
				want = "ff"
			}
			b.wantCells(at, want)
		}
	}
}

// TestW25QProtection is the data sheet's table of protected areas of a W25Q128JV (section 7.1.10).
func TestW25QProtection(t *testing.T) {
	const kib, mib, end = 1 << 10, 1 << 20, 16 << 20
	for _, c := range []struct {
		sec, tb, bp uint8
		from, to    int
	}{
		{0, 0, 0, 0, 0}, {0, 0, 1, end - 256*kib, end}, {0, 0, 2, end - 512*kib, end}, {0, 0, 3, end - mib, end},
		{0, 0, 4, end - 2*mib, end}, {0, 0, 5, end - 4*mib, end}, {0, 0, 6, end - 8*mib, end}, {0, 0, 7, 0, end},
		{0, 1, 1, 0, 256 * kib}, {0, 1, 4, 0, 2 * mib}, {0, 1, 6, 0, 8 * mib}, {0, 1, 7, 0, end},
		{1, 0, 1, end - 4*kib, end}, {1, 0, 2, end - 8*kib, end}, {1, 0, 3, end - 16*kib, end}, {1, 0, 4, end - 32*kib, end}, {1, 0, 5, end - 32*kib, end},
		{1, 1, 1, 0, 4 * kib}, {1, 1, 3, 0, 16 * kib}, {1, 1, 5, 0, 32 * kib}, {1, 1, 7, 0, end},
	} {
		for cmp := range uint8(2) {
			chip := &w25qChip{part: &w25qPart{size: end}, status: [3]uint8{c.bp<<2 | c.tb<<5 | c.sec<<6, cmp << 6}}
			for _, page := range []int{0, 4*kib - 256, 4 * kib, 32 * kib, 256*kib - 256, 256 * kib, 2*mib - 256, 2 * mib, 8*mib - 256, 8 * mib,
				end - mib, end - 256*kib, end - 256*kib - 256, end - 32*kib, end - 16*kib, end - 4*kib, end - 256} {
				want := (page >= c.from && page < c.to) != (cmp == 1)
				if got := chip.protected(page, 256); got != want {
					t.Errorf("SEC %d TB %d BP %d CMP %d: page %#x protected: %v, want %v", c.sec, c.tb, c.bp, cmp, page, got, want)
				}
			}
			if got, want := chip.protected(0, end), (c.from < c.to) != (cmp == 1) || cmp == 1 && c.to-c.from != end; got != want {
				t.Errorf("SEC %d TB %d BP %d CMP %d: the chip cannot be erased: %v, want %v", c.sec, c.tb, c.bp, cmp, got, want)
			}
		}
	}
}

// TestW25QStatus: status registers are kept, or volatile, and can be locked until power is lost.
func TestW25QStatus(t *testing.T) {
	b := flash(t, nil)
	b.runSPI("W 01 24", "W 05 R 00") // no latch
	b.runSPI("W 06", "W 01 ff 40", "W 05 R 03")
	b.wait(w25qStatusTime + 1)
	b.runSPI("W 05 R fc", "W 35 R 42") // QE is fixed
	b.runSPI("W 06", "W 01 24")
	b.wait(w25qStatusTime + 1)
	b.runSPI("W 05 R 24", "W 35 R 42", "W 50", "W 01 1c", "W 05 R 1c", "W 01 00", "W 05 R 1c") // volatile, at once, once
	b.runSPI("W 06", "W 31 00", "W 06")
	b.wait(w25qStatusTime + 1)
	b.runSPI("W 35 R 02", "W 06", "W 11 ff")
	b.wait(w25qStatusTime + 1)
	b.runSPI("W 15 R 60", "W 50", "W 31 01", "W 06", "W 01 00", "W 05 R 1e") // SRL
	b.power(false)
	b.power(true)
	b.wait(w25qPowerUpWrite)
	b.runSPI("W 35 R 02", "W 05 R 1c", "W 06", "W 01 00")
	b.wait(w25qStatusTime + 1)
	b.runSPI("W 05 R 00")

	b.runSPI("W 06", "W 01 04") // the upper 256 KiB
	b.wait(w25qStatusTime + 1)
	b.runSPI("W 06", "W 02 fc 00 00 00", "W 20 fc 00 00", "W c7", "W 05 R 06")
	b.runSPI("W 02 fb ff 00 00")
	b.wait(time.Millisecond)
	b.wantCells(0xfbff00, "00")
	b.wantCells(0xfc0000, "ff")
}

// TestW25QPowerDown: only its end is heard in power-down.
func TestW25QPowerDown(t *testing.T) {
	b := flash(t, nil)
	b.runSPI("W b9", "W 9f R ff", "W 05 R ff", "W 06", "W 66", "W 99", "W 9f R ff", "W ab", "W 9f R ff")
	b.wait(w25qReleaseTime + 1)
	b.runSPI("W 9f R ef 40 18", "W 05 R 00", "W b9", "W ab 00 00 00 R 17")
	b.wait(w25qReleaseTime + 1)
	b.runSPI("W 9f R ef")
}

// TestW25QReset needs two instructions in a row, and tears what is under way.
func TestW25QReset(t *testing.T) {
	b := flash(t, nil)
	b.runSPI("W 06", "W 99", "W 05 R 02", "W 66", "W 05 R 02", "W 99", "W 05 R 02", "W 66", "W 99", "W 05 R ff")
	b.wait(w25qResetTime + 1)
	b.runSPI("W 05 R 00", "W 06", "W 20 00 00 00")
	b.wait(w25qSectorTime / 2)
	b.runSPI("W 66", "W 99")
	b.wait(w25qResetTime + 1)
	b.runSPI("W 05 R 00")
	if got := b.cells(0, 8); got == "ff ff ff ff ff ff ff ff" {
		t.Error("an erase that a reset ended has changed nothing")
	}
}

// TestW25QTorn: what is under way when power goes is undefined, and nothing else is.
func TestW25QTorn(t *testing.T) {
	full := map[string]string{"00": "W 02 00 00 00 " + strings.Repeat("00 ", 256), "01": "W 02 00 01 00 " + strings.Repeat("0f ", 256), "10": "W 02 00 10 00 12 34"}
	prepare := func() *bench {
		b := flash(t, nil)
		for _, page := range []string{"00", "10"} {
			b.runSPI("W 06", full[page])
			b.wait(time.Millisecond)
		}
		return b
	}
	cut := func(b *bench) {
		b.power(false)
		b.power(true)
		b.wait(w25qPowerUpWrite)
		b.runSPI("W 05 R 00")
	}
	t.Run("program", func(t *testing.T) {
		b := prepare()
		b.runSPI("W 06", full["01"])
		b.wait(100 * time.Microsecond)
		cut(b)
		torn := 0
		for _, v := range strings.Fields(b.cells(0x100, 256)) {
			if v[1] != 'f' {
				t.Fatalf("%s: bits that were not to be programmed are", v)
			}
			if v != "0f" && v != "ff" {
				torn++
			}
		}
		if torn == 0 {
			t.Error("no byte is torn")
		}
		b.wantCells(0, "00 00")
		b.wantCells(0x200, "ff ff")
	})
	t.Run("erase", func(t *testing.T) {
		b := prepare()
		b.runSPI("W 06", "W 20 00 00 00")
		b.wait(w25qSectorTime - time.Microsecond)
		cut(b)
		if got := b.cells(0, 64); strings.Count(got, "00") > 8 || strings.Count(got, "ff") > 8 {
			t.Errorf("cells under erase: %s", got)
		}
		b.wantCells(0x1000, "12 34 ff")
	})
	t.Run("chip", func(t *testing.T) {
		b := prepare()
		b.runSPI("W 06", "W c7")
		b.wait(20 * time.Second)
		cut(b)
		b.wantCells(0, "ff ff")
		b.wantCells(0x1000, "ff ff")
		if got := b.cells(8<<20, 8); got == "ff ff ff ff ff ff ff ff" {
			t.Error("the block under erase is whole")
		}
	})
	t.Run("status", func(t *testing.T) {
		b := prepare()
		b.runSPI("W 06", "W 01 1c")
		b.wait(w25qStatusTime / 2)
		cut(b)
	})
}

// TestW25QFile: the file has what the cells have, and what it has is in them at the start.
func TestW25QFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "flash.bin")
	values := map[string]periph.Value{"file": periph.Str(name)}
	content := func() []byte {
		t.Helper()
		data, err := os.ReadFile(name)
		if err != nil || len(data) != 16<<20 {
			t.Fatalf("the file has %d bytes: %v", len(data), err)
		}
		return data
	}
	b := flash(t, values)
	if !erased(string(content())) {
		t.Error("a new file is not erased")
	}
	b.runSPI("W 06", "W 02 00 10 f0 12 34")
	b.wait(time.Millisecond)
	if got := content(); string(got[0x10ef:0x10f3]) != "\xff\x12\x34\xff" {
		t.Errorf("the file has % x", got[0x10ef:0x10f3])
	}
	b.runSPI("W 06", "W 02 00 20 00 56")
	if err := b.chip.Close(); err != nil { // with a program under way
		t.Fatal(err)
	}
	b.chip = nopChip{b.chip}
	want := content()
	if want[0x2000] != 0x56 {
		t.Error("the end of the run has torn a page")
	}
	b = flash(t, values)
	b.runSPI("W 03 00 10 f0 R 12 34 ff", "W 06", "W 20 00 10 00")
	b.wait(time.Second)
	b.wantCells(0x10f0, "ff ff")
	copy(want[0x10f0:], "\xff\xff")
	if !bytes.Equal(content(), want) {
		t.Error("an erase has changed something else in the file")
	}
	for size, text := range map[int]string{0: "has 0 bytes, and must have 16777216", 16<<20 + 1: "has more than 16777216 bytes"} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := newW25QArray(16 << 20).open(name); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("a file of %d bytes: %v, want %q", size, err, text)
		}
	}
}

// nopChip is one that has been closed.
type nopChip struct{ periph.Chip }

func (nopChip) Close() error { return nil }

// erased tells whether all bits are 1.
func erased(content string) bool { return strings.Count(content, "\xff") == len(content) }
