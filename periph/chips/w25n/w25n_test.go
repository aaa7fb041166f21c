package w25n

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
)

// flash is one that can be written, without protected blocks.
func flash(t *testing.T, values map[string]periph.Value) *chiptest.Bench {
	b := chiptest.PowerOn(t, Model, values)
	b.Wait(powerUpWrite)
	b.RunSPI("W 1f a0 00", "W 0f a0 R 00")
	return b
}

// cells are those from a place in a page on, whatever the chip is doing.
func cells(b *chiptest.Bench, number, at, n int) string {
	p := b.Chip.(*chip).array.read(number)
	return fmt.Sprintf("% x", p[at:at+n])
}

// write programs a page, whose number is below 256.
func write(b *chiptest.Bench, number int, column, data string) {
	b.RunSPI("W 06", "W 02 "+column+" "+data, fmt.Sprintf("W 10 00 00 %02x", number))
	b.Wait(programTime + time.Microsecond)
}

// TestProbe is what Linux's spinand driver does when it binds: reset, the identification as it is asked of others, and as of
// this one, the registers.
func TestProbe(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.RunSPI("W 9f 00 R ff ff ff") // not awake yet
	b.Wait(powerUpRead)
	b.RunSPI("W 9f 00 R ef aa 21 ef", "W 0f a0 R 7c 7c", "W 05 b0 R 18", "W 0f c0 R 00", "W 0f d0 R 00")
	b.RunSPI("W ff", "W 0f c0 R 01", "W 9f 00 R ef aa", "W 06", "W 0f c0 R 01")
	b.Wait(resetTime + time.Microsecond)
	b.Wait(powerUpWrite)
	b.RunSPI("W 0f c0 R 00", "W 1f b0 00", "W 0f b0 R 08", "W 01 b0 10", "W 0f b0 R 18", "W 06", "W 0f c0 R 02", "W 04", "W 0f c0 R 00")
}

// TestProgram: loading needs the latch; programming takes its time, only clears bits, and puts a code beside the data.
func TestProgram(t *testing.T) {
	b := flash(t, nil)
	b.RunSPI("W 02 00 00 12", "W 10 00 00 05", "W 0f c0 R 00") // no latch
	b.RunSPI("W 06", "W 02 00 01 12 34", "W 84 08 04 f0", "W 10 00 00 05", "W 0f c0 R 03", "W 13 00 00 05", "W 9f 00 R ef", "W 03 00 01 00 R ff")
	b.Wait(programTime - time.Microsecond)
	if got := cells(b, 5, 0, 4); got != "ff ff ff ff" {
		t.Errorf("before its time it holds %s", got)
	}
	b.Wait(2 * time.Microsecond)
	b.RunSPI("W 0f c0 R 00")
	if got := cells(b, 5, 0, 4) + " " + cells(b, 5, dataSize, 8); got != "ff 12 34 ff ff ff ff ff f0 ff ff ff" {
		t.Errorf("it holds %s", got)
	}
	if got := cells(b, 5, part(0)+codeAt, 2); got == "ff ff" {
		t.Error("there is no code beside the data")
	}
	b.RunSPI("W 13 00 00 05", "W 0f c0 R 01")
	b.Wait(correctTime + time.Microsecond)
	b.RunSPI("W 0f c0 R 00", "W 03 00 01 00 R 12 34 ff", "W 0b 08 04 00 R f0", "W 03 f0 01 00 R 12", "W 03 08 3f 00 R ff ff ff")
	b.RunSPI("W 1f b0 08") // without a code
	write(b, 5, "00 01", "f3 0f")
	b.RunSPI("W 13 00 00 05")
	b.Wait(readTime + time.Microsecond)
	b.RunSPI("W 03 00 00 00 R ff 12 04 ff")
	b.RunSPI("W 06", "W 02 00 00 00", "W 13 00 00 05") // of which reading ends the latch
	b.Wait(readTime + time.Microsecond)
	b.RunSPI("W 10 00 00 05", "W 0f c0 R 00")
	if c := b.Chip.(*chip); c.Get("programs") != periph.Num(2) {
		t.Errorf("there were %v programs", c.Get("programs"))
	}
}

// TestErase: a block at a time, with the latch, in its time.
func TestErase(t *testing.T) {
	b := flash(t, nil)
	for _, number := range []int{63, 64, 127, 128} {
		write(b, number, "00 00", "00 11")
	}
	b.RunSPI("W d8 00 00 41", "W 0f c0 R 00") // no latch
	b.RunSPI("W 06", "W d8 00 00 41", "W 0f c0 R 03")
	b.Wait(eraseTime - time.Microsecond)
	if got := cells(b, 64, 0, 1); got != "00" {
		t.Errorf("before its time it holds %s", got)
	}
	b.Wait(2 * time.Microsecond)
	b.RunSPI("W 0f c0 R 00")
	if got := cells(b, 63, 0, 1) + cells(b, 64, 0, 1) + cells(b, 127, 0, 1) + cells(b, 128, 0, 1); got != "00ffff00" {
		t.Errorf("the pages hold %s", got)
	}
}

// TestProtection: what is protected is left alone, and said to be.
func TestProtection(t *testing.T) {
	b := flash(t, nil)
	for value, want := range map[uint8][2]int{0x00: {}, 0x08: {blocks - 2, blocks}, 0x0c: {0, 2}, 0x48: {blocks / 2, blocks}, 0x4c: {0, blocks / 2}, 0x50: {0, blocks}, 0x7c: {0, blocks}} {
		b.RunSPI(fmt.Sprintf("W 1f a0 %02x", value))
		for _, block := range []int{0, 1, 2, blocks/2 - 1, blocks / 2, blocks - 3, blocks - 2, blocks - 1} {
			if got := b.Chip.(*chip).protected(block); got != (block >= want[0] && block < want[1]) {
				t.Errorf("with %#x block %d is protected: %v", value, block, got)
			}
		}
	}
	b.RunSPI("W 1f a0 7c")
	write(b, 0, "00 00", "00")
	b.RunSPI("W 0f c0 R 08", "W 06", "W d8 00 00 00")
	b.Wait(time.Millisecond)
	b.RunSPI("W 0f c0 R 0c", "W 1f a0 81", "W 1f a0 01", "W 1f a0 00", "W 0f a0 R 01") // until the power goes
	b.RunSPI("W 1f b0 08", "W 0f b0 R 08", "W 1f b0 18")
	write(b, 0, "00 00", "00")
	b.RunSPI("W 0f c0 R 04")
	b.Power(false)
	b.Power(true)
	b.Wait(powerUpWrite)
	b.RunSPI("W 0f a0 R 7c", "W 0f c0 R 00")
}

// TestCorrection: of each sector one wrong bit is corrected, wherever it is, and two are seen.
func TestCorrection(t *testing.T) {
	b := flash(t, nil)
	chance := rand.New(rand.NewPCG(1, 2))
	data := make([]string, dataSize)
	for i := range data {
		data[i] = fmt.Sprintf("%02x", chance.IntN(256))
	}
	write(b, 7, "00 00", strings.Join(data, " ")+" ff ff 12 34 56 78 9a")
	whole := b.Chip.(*chip).array.read(7)
	covered := func(sector, n int) int { // a bit: of the data, of the spare area that is protected, of the code
		switch {
		case n < 8*sectorData:
			return 8*sector*sectorData + n
		case n < 8*protectedN:
			return 8*(part(sector)+userAt) + n - 8*sectorData
		}
		return 8*(part(sector)+codeAt) + n - 8*protectedN
	}
	const bitsOf = 8*protectedN + placeBits + 1
	read := func(flips ...int) (status uint8, right bool) {
		for _, f := range flips {
			b.Set("flip", periph.Str(fmt.Sprintf("7:%d", f)))
		}
		b.RunSPI("W 13 00 00 07")
		b.Wait(correctTime + time.Microsecond)
		c := b.Chip.(*chip)
		right = string(c.buffer[:dataSize]) == string(whole[:dataSize]) && string(c.buffer[part(0)+userAt:part(0)+codeAt]) == string(whole[part(0)+userAt:part(0)+codeAt])
		for _, f := range flips {
			b.Set("flip", periph.Str(fmt.Sprintf("7:%d", f)))
		}
		return c.register(statusAddress), right
	}
	if status, right := read(); status != 0 || !right {
		t.Errorf("without a flip: status %#x", status)
	}
	for range 400 {
		sector := chance.IntN(sectors)
		one := chance.IntN(bitsOf)
		if chance.IntN(4) == 0 {
			one = bitsOf - 1 - chance.IntN(placeBits+1)
		}
		if status, right := read(covered(sector, one)); status != eccCorrected || !right {
			t.Fatalf("bit %d of sector %d: status %#x, right: %v", one, sector, status, right)
		}
		other := chance.IntN(bitsOf)
		if other == one {
			continue
		}
		if status, _ := read(covered(sector, one), covered(sector, other)); status != eccLost {
			t.Fatalf("bits %d and %d of sector %d: status %#x", one, other, sector, status)
		}
	}
	if status, right := read(covered(0, 5), covered(1, 5), covered(2, 5), covered(3, 5)); status != eccCorrected || !right {
		t.Errorf("a bit of each sector: status %#x, right: %v", status, right)
	}
	if status, right := read(covered(0, 5), covered(1, 5), covered(2, 5), covered(2, 6), covered(3, 5)); status != eccLost || right {
		t.Errorf("one sector with two bits: status %#x, right: %v", status, right)
	} else if got := b.Chip.(*chip).buffer; string(got[:2*sectorData]) != string(whole[:2*sectorData]) || string(got[3*sectorData:dataSize]) != string(whole[3*sectorData:dataSize]) {
		t.Error("the other sectors are not corrected")
	}
	if c := b.Chip.(*chip); c.corrected < 400 || c.lost < 300 {
		t.Errorf("%d pages were corrected and %d lost", c.corrected, c.lost)
	}
	for _, text := range []string{"", "7", "7:", "x:1", "-1:0", "65536:0", "0:16896", "0:-1"} {
		if Model.Properties[4].Check(periph.Str(text)) == nil {
			t.Errorf("%q is a bit", text)
		}
	}
}

// TestBadBlocks: some are marked from the factory, never the first one, and cannot be changed.
func TestBadBlocks(t *testing.T) {
	b := flash(t, map[string]periph.Value{"bad_blocks": periph.Num(maxBad)})
	var bad []int
	for block := range blocks {
		if b.Chip.(*chip).array.bad(block) {
			bad = append(bad, block)
		}
	}
	if len(bad) != maxBad || bad[0] == 0 {
		t.Fatalf("bad blocks: %v", bad)
	}
	row := fmt.Sprintf("%02x %02x", bad[0]*blockPages>>8, bad[0]*blockPages&0xff)
	b.RunSPI("W 06", "W d8 00 "+row)
	b.Wait(eraseTime)
	b.RunSPI("W 0f c0 R 04", "W 06", "W 02 00 01 00", "W 10 00 "+row)
	b.Wait(eraseTime)
	b.RunSPI("W 0f c0 R 0c", "W 13 00 "+row)
	b.Wait(time.Millisecond)
	b.RunSPI("W 03 00 00 00 R 00 ff", "W 03 08 00 00 R 00 ff")
}

// TestTorn: when the power goes, or a reset comes, cells under work hold anything, and the code says so.
func TestTorn(t *testing.T) {
	for name, cut := range map[string]func(b *chiptest.Bench){
		"power": func(b *chiptest.Bench) { b.Power(false); b.Power(true); b.Wait(powerUpWrite) },
		"reset": func(b *chiptest.Bench) { b.RunSPI("W ff"); b.Wait(resetEraseTime + time.Microsecond) },
	} {
		t.Run(name, func(t *testing.T) {
			b := flash(t, nil)
			write(b, 64, "00 00", strings.Repeat("00 ", 40)+"00")
			b.RunSPI("W 06", "W 02 00 00 "+strings.Repeat("00 ", 40)+"00", "W 10 00 00 09")
			b.Wait(programTime / 2)
			cut(b)
			if got := cells(b, 9, 0, 40); strings.Count(got, "00") == 40 || strings.Count(got, "ff") == 40 {
				t.Errorf("the page holds %s", got)
			}
			b.RunSPI("W 13 00 00 09")
			b.Wait(correctTime + time.Microsecond)
			b.RunSPI("W 0f c0 R 20")
			b.RunSPI("W 1f a0 00", "W 06", "W d8 00 00 40")
			b.Wait(eraseTime / 2)
			cut(b)
			if got := cells(b, 64, 0, 40); strings.Count(got, "00") == 40 || strings.Count(got, "ff") == 40 {
				t.Errorf("the page of the block holds %s", got)
			}
		})
	}
}

// TestOnce: pages that are not in the array are one with the identification and others that are not programmed.
func TestOnce(t *testing.T) {
	b := flash(t, nil)
	b.RunSPI("W 1f b0 58", "W 13 00 00 00")
	b.Wait(time.Millisecond)
	c := b.Chip.(*chip)
	for i, v := range c.buffer[:16] {
		if c.buffer[16+i] != ^v || c.buffer[32+i] != v {
			t.Errorf("byte %d of the identification is %#x, then %#x and %#x", i, v, c.buffer[16+i], c.buffer[32+i])
		}
	}
	write(b, 0, "00 00", "00")
	b.RunSPI("W 0f c0 R 08", "W 06", "W d8 00 00 00")
	b.Wait(time.Millisecond)
	b.RunSPI("W 0f c0 R 0c", "W ff")
	b.Wait(time.Millisecond)
	b.RunSPI("W 0f b0 R 18", "W 0f c0 R 00")
}

// TestFile: a file keeps the contents, the marks of bad blocks among them.
func TestFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "flash")
	values := map[string]periph.Value{"file": periph.Str(file), "bad_blocks": periph.Num(3)}
	b := flash(t, values)
	write(b, 11, "00 00", "12 34")
	b.RunSPI("W 06", "W 02 00 00 56", "W 10 00 00 0c") // ends with the run
	if err := b.Chip.Close(); err != nil {
		t.Fatal(err)
	}
	again := flash(t, values)
	if got := cells(again, 11, 0, 2) + cells(again, 12, 0, 1); got != "12 3456" {
		t.Errorf("it has kept %s", got)
	}
	bad := 0
	for block := range blocks {
		if again.Chip.(*chip).array.bad(block) {
			bad++
		}
	}
	if bad != 3 {
		t.Errorf("%d blocks are bad", bad)
	}
	if err := again.Chip.Close(); err != nil {
		t.Fatal(err)
	}
	// While the host cannot write, what it is to write stays, and an end then says so.
	full := flash(t, values)
	array := &full.Chip.(*chip).array
	good := array.file
	unwritable, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	array.file = unwritable
	write(full, 13, "00 00", "9a")
	array.file = good
	if err := full.Chip.Close(); err != nil {
		t.Fatal(err)
	}
	full = flash(t, values)
	if got := cells(full, 13, 0, 1); got != "9a" {
		t.Errorf("it has kept %s", got)
	}
	full.Chip.(*chip).array.file.Close()
	full.Chip.(*chip).array.file = unwritable
	write(full, 14, "00 00", "9a")
	if err := full.Chip.Close(); err == nil {
		t.Error("what could not be written is not said")
	}
	if err := os.Truncate(file, 5); err != nil {
		t.Fatal(err)
	}
	if _, err := Model.New(&periph.Env{Path: func(p string) string { return p }, Rand: rand.New(rand.NewPCG(1, 1))}, &periph.Options{Values: values}); err == nil {
		t.Error("a file of another size is taken")
	}
}
