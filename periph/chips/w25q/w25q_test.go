package w25q

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/periph/spi"

	"github.com/google/go-cmp/cmp"
)

// flash is a W25Q128JV that can be written.
func flash(t *testing.T, values map[string]periph.Value) *chiptest.Bench {
	b := chiptest.PowerOn(t, W25Q128JV, values)
	b.Wait(powerUpWrite)
	return b
}

// cells reads from an address on, whatever the chip is doing.
func cells(b *chiptest.Bench, from, n int) string {
	p := make([]byte, n)
	b.Chip.(*chip).array.read(p, from)
	return fmt.Sprintf("% x", p)
}

func wantCells(b *chiptest.Bench, from int, want string) {
	b.T.Helper()
	if got := cells(b, from, (len(want)+1)/3); got != want {
		b.T.Errorf("cells at %#x: %s, want %s", from, got, want)
	}
}

// TestProbe is what Linux's spi-nor driver reads when it binds: the identification,
// the SFDP header and its table, the status registers.
func TestProbe(t *testing.T) {
	for _, m := range []struct {
		model *periph.Model
		id    string
		bits  string // of the second word of the table: the last one's number
		chip  string
	}{{W25Q64JV, "ef 40 17", "ff ff ff 03", "c4"}, {W25Q128JV, "ef 40 18", "ff ff ff 07", "c9"}} {
		b := chiptest.PowerOn(t, m.model, nil)
		b.RunSPI("W 9f R ff ff ff") // not awake yet
		b.Wait(powerUpRead)
		b.RunSPI("W 9f R "+m.id+" 00 00 00", "W 5a 00 00 00 00 R 53 46 44 50 05 01 00 ff 00 05 01 10 80 00 00 ff",
			"W 5a 00 00 80 00 R e5 20 80 ff "+m.bits+" 00 00 00 00",
			"W 5a 00 00 9c 00 R 0c 20 0f 52 10 d8 00 00 24 3a a5 00 82 e5 14 "+m.chip,
			"W 05 R 00 00", "W 35 R 02", "W 15 R 60", "W ab 00 00 00 R "+map[string]string{"ef 40 17": "16 16", "ef 40 18": "17 17"}[m.id])
	}
}

// TestIdentities are the older ways to ask for it.
func TestIdentities(t *testing.T) {
	b := flash(t, nil)
	b.RunSPI("W 90 00 00 00 R ef 17 ef", "W 90 00 00 01 R 17 ef", "X ab 00 00 00 00 = ff ff ff ff 17")
	unique := func(b *chiptest.Bench) string {
		target, err := spi.TargetOf(b.Chip)
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

// TestProgram: programming needs the latch, takes its time, only clears bits, and begins
// the page anew at its end.
func TestProgram(t *testing.T) {
	b := flash(t, nil)
	b.RunSPI("W 02 00 12 34 f0", "W 05 R 00") // no latch
	b.Wait(time.Second)
	wantCells(b, 0x1234, "ff")
	b.RunSPI("W 06", "W 05 R 02", "W 04", "W 05 R 00", "W 06", "W 02 00 12 34 f0 0f 55")
	b.RunSPI("W 05 R 03", "W 03 00 12 34 R ff ff", "W 06", "W 9f R ff") // busy
	b.Wait(34 * time.Microsecond)                                       // 30 and two of 2.5
	b.RunSPI("W 05 R 03")
	b.Wait(2 * time.Microsecond)
	b.RunSPI("W 05 R 00", "W 03 00 12 33 R ff f0 0f 55 ff", "W 0b 00 12 34 00 R f0 0f 55")
	b.RunSPI("W 06", "W 02 00 12 34 3c ff 66")
	b.Wait(time.Millisecond)
	b.RunSPI("W 03 00 12 34 R 30 0f 44")

	b.RunSPI("W 06", "W 02 00 20 fe 01 02 03 04") // around the page's end
	b.Wait(time.Millisecond)
	wantCells(b, 0x20fe, "01 02 ff ff")
	wantCells(b, 0x2000, "03 04 ff")
	var long []string
	for i := range 258 {
		long = append(long, fmt.Sprintf("%02x", i/2))
	}
	b.RunSPI("W 06", "W 02 00 30 00 "+strings.Join(long, " ")) // the last 256 count
	b.Wait(programTime - time.Microsecond)
	b.RunSPI("W 05 R 03")
	b.Wait(2 * time.Microsecond)
	b.RunSPI("W 05 R 00")
	wantCells(b, 0x3000, "80 80 01 01")
	wantCells(b, 0x30fc, "7e 7e 7f 7f ff")
	b.RunSPI("W 03 ff ff ff R ff ff") // reads begin anew at the end
	if diff := cmp.Diff([]string{"programs=1", "programs=2", "programs=3", "programs=4"}, b.Changed); diff != "" {
		t.Error(diff)
	}
}

// TestWhole: an instruction that has too few or too many bytes, or ends within one, is
// not carried out.
func TestWhole(t *testing.T) {
	b := flash(t, nil)
	b.RunSPI("W 06 00", "W 05 R 00", "W 06", "W 02 00 00 00", "W 20 00 00", "W 20 00 00 00 00", "W c7 00", "W 05 R 02")
	target, err := spi.TargetOf(b.Chip)
	if err != nil {
		t.Fatal(err)
	}
	target.Select()
	target.Exchange([]byte{0x02, 0, 0, 0, 0x10}, make([]byte, 5), 39)
	target.Deselect()
	b.RunSPI("W 05 R 02", "W fe R ff", "W 02 00 00 00 W 11 22") // in two transfers, all of it
	b.Wait(time.Second)
	wantCells(b, 0, "11 22 ff")
}

// TestErase: sectors and blocks become ones after their time, around the address.
func TestErase(t *testing.T) {
	for _, c := range []struct {
		instruction string
		time        time.Duration
		from, to    int
	}{
		{"20 05 6f ff", sectorTime, 0x56000, 0x57000},
		{"52 05 6f ff", halfTime, 0x50000, 0x58000},
		{"d8 05 6f ff", blockTime, 0x50000, 0x60000},
		{"c7", 40 * time.Second, 0, 16 << 20},
		{"60", 40 * time.Second, 0, 16 << 20},
	} {
		b := flash(t, nil)
		places := []int{0, 0x4fff0, 0x50000, 0x55000, 0x56000, 0x56ff0, 0x57000, 0x58000, 0x5fff0, 0x60000}
		for _, at := range places {
			b.RunSPI("W 06", fmt.Sprintf("W 02 %02x %02x %02x 00", at>>16, at>>8&255, at&255))
			b.Wait(time.Millisecond)
		}
		b.RunSPI("W "+c.instruction, "W 05 R 00", "W 06", "W "+c.instruction)
		b.Wait(c.time - time.Microsecond)
		b.RunSPI("W 05 R 03")
		b.Wait(2 * time.Microsecond)
		b.RunSPI("W 05 R 00")
		for _, at := range places {
			want := "00"
			if at >= c.from && at < c.to {
				want = "ff"
			}
			wantCells(b, at, want)
		}
	}
}

// TestProtection is the data sheet's table of protected areas of a W25Q128JV (section 7.1.10).
func TestProtection(t *testing.T) {
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
			chip := &chip{part: &part{size: end}, status: [3]uint8{c.bp<<2 | c.tb<<5 | c.sec<<6, cmp << 6}}
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

// TestStatus: status registers are kept, or volatile, and can be locked until power is lost.
func TestStatus(t *testing.T) {
	b := flash(t, nil)
	b.RunSPI("W 01 24", "W 05 R 00") // no latch
	b.RunSPI("W 06", "W 01 ff 40", "W 05 R 03")
	b.Wait(statusTime + 1)
	b.RunSPI("W 05 R fc", "W 35 R 42") // QE is fixed
	b.RunSPI("W 06", "W 01 24")
	b.Wait(statusTime + 1)
	b.RunSPI("W 05 R 24", "W 35 R 42", "W 50", "W 01 1c", "W 05 R 1c", "W 01 00", "W 05 R 1c") // volatile, at once, once
	b.RunSPI("W 06", "W 31 00", "W 06")
	b.Wait(statusTime + 1)
	b.RunSPI("W 35 R 02", "W 06", "W 11 ff")
	b.Wait(statusTime + 1)
	b.RunSPI("W 15 R 60", "W 50", "W 31 01", "W 06", "W 01 00", "W 05 R 1e") // SRL
	b.Power(false)
	b.Power(true)
	b.Wait(powerUpWrite)
	b.RunSPI("W 35 R 02", "W 05 R 1c", "W 06", "W 01 00")
	b.Wait(statusTime + 1)
	b.RunSPI("W 05 R 00")

	b.RunSPI("W 06", "W 01 04") // the upper 256 KiB
	b.Wait(statusTime + 1)
	b.RunSPI("W 06", "W 02 fc 00 00 00", "W 20 fc 00 00", "W c7", "W 05 R 06")
	b.RunSPI("W 02 fb ff 00 00")
	b.Wait(time.Millisecond)
	wantCells(b, 0xfbff00, "00")
	wantCells(b, 0xfc0000, "ff")
}

// TestPowerDown: only its end is heard in power-down.
func TestPowerDown(t *testing.T) {
	b := flash(t, nil)
	b.RunSPI("W b9", "W 9f R ff", "W 05 R ff", "W 06", "W 66", "W 99", "W 9f R ff", "W ab", "W 9f R ff")
	b.Wait(releaseTime + 1)
	b.RunSPI("W 9f R ef 40 18", "W 05 R 00", "W b9", "W ab 00 00 00 R 17")
	b.Wait(releaseTime + 1)
	b.RunSPI("W 9f R ef")
}

// TestReset needs two instructions in a row, and tears what is under way.
func TestReset(t *testing.T) {
	b := flash(t, nil)
	b.RunSPI("W 06", "W 99", "W 05 R 02", "W 66", "W 05 R 02", "W 99", "W 05 R 02", "W 66", "W 99", "W 05 R ff")
	b.Wait(resetTime + 1)
	b.RunSPI("W 05 R 00", "W 06", "W 20 00 00 00")
	b.Wait(sectorTime / 2)
	b.RunSPI("W 66", "W 99")
	b.Wait(resetTime + 1)
	b.RunSPI("W 05 R 00")
	if got := cells(b, 0, 8); got == "ff ff ff ff ff ff ff ff" {
		t.Error("an erase that a reset ended has changed nothing")
	}
}

// TestTorn: what is under way when power goes is undefined, and nothing else is.
func TestTorn(t *testing.T) {
	full := map[string]string{"00": "W 02 00 00 00 " + strings.Repeat("00 ", 256), "01": "W 02 00 01 00 " + strings.Repeat("0f ", 256), "10": "W 02 00 10 00 12 34"}
	prepare := func() *chiptest.Bench {
		b := flash(t, nil)
		for _, page := range []string{"00", "10"} {
			b.RunSPI("W 06", full[page])
			b.Wait(time.Millisecond)
		}
		return b
	}
	cut := func(b *chiptest.Bench) {
		b.Power(false)
		b.Power(true)
		b.Wait(powerUpWrite)
		b.RunSPI("W 05 R 00")
	}
	t.Run("program", func(t *testing.T) {
		b := prepare()
		b.RunSPI("W 06", full["01"])
		b.Wait(100 * time.Microsecond)
		cut(b)
		torn := 0
		for _, v := range strings.Fields(cells(b, 0x100, 256)) {
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
		wantCells(b, 0, "00 00")
		wantCells(b, 0x200, "ff ff")
	})
	t.Run("erase", func(t *testing.T) {
		b := prepare()
		b.RunSPI("W 06", "W 20 00 00 00")
		b.Wait(sectorTime - time.Microsecond)
		cut(b)
		if got := cells(b, 0, 64); strings.Count(got, "00") > 8 || strings.Count(got, "ff") > 8 {
			t.Errorf("cells under erase: %s", got)
		}
		wantCells(b, 0x1000, "12 34 ff")
	})
	t.Run("chip", func(t *testing.T) {
		b := prepare()
		b.RunSPI("W 06", "W c7")
		b.Wait(20 * time.Second)
		cut(b)
		wantCells(b, 0, "ff ff")
		wantCells(b, 0x1000, "ff ff")
		if got := cells(b, 8<<20, 8); got == "ff ff ff ff ff ff ff ff" {
			t.Error("the block under erase is whole")
		}
	})
	t.Run("status", func(t *testing.T) {
		b := prepare()
		b.RunSPI("W 06", "W 01 1c")
		b.Wait(statusTime / 2)
		cut(b)
	})
}

// TestFile: the file has what the cells have, and what it has is in them at the start.
func TestFile(t *testing.T) {
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
	b.RunSPI("W 06", "W 02 00 10 f0 12 34")
	b.Wait(time.Millisecond)
	if got := content(); string(got[0x10ef:0x10f3]) != "\xff\x12\x34\xff" {
		t.Errorf("the file has % x", got[0x10ef:0x10f3])
	}
	b.RunSPI("W 06", "W 02 00 20 00 56")
	if err := b.Chip.Close(); err != nil { // with a program under way
		t.Fatal(err)
	}
	b.Chip = nopChip{b.Chip}
	want := content()
	if want[0x2000] != 0x56 {
		t.Error("the end of the run has torn a page")
	}
	b = flash(t, values)
	b.RunSPI("W 03 00 10 f0 R 12 34 ff", "W 06", "W 20 00 10 00")
	b.Wait(time.Second)
	wantCells(b, 0x10f0, "ff ff")
	copy(want[0x10f0:], "\xff\xff")
	if !bytes.Equal(content(), want) {
		t.Error("an erase has changed something else in the file")
	}
	if err := newArray(16 << 20).open(name); err == nil || !strings.Contains(err.Error(), "is in use by another run or command") {
		t.Errorf("another flash has the file as well: %v", err)
	}
	if err := b.Chip.Close(); err != nil {
		t.Fatal(err)
	}
	for size, text := range map[int]string{0: "has 0 bytes, and must have 16777216", 16<<20 + 1: "has 16777217 bytes, and must have 16777216"} {
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := newArray(16 << 20).open(name); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("a file of %d bytes: %v, want %q", size, err, text)
		}
	}
}

// nopChip is one that has been closed.
type nopChip struct{ periph.Chip }

func (nopChip) Close() error { return nil }

// erased tells whether all bits are 1.
func erased(content string) bool { return strings.Count(content, "\xff") == len(content) }
