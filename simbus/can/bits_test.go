package can

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawFrame is any good frame.
func drawFrame(t *rapid.T) Frame {
	f := Frame{Extended: rapid.Bool().Draw(t, "extended"), FD: rapid.Bool().Draw(t, "fd")}
	f.ID = uint32(rapid.IntRange(0, MaxID).Draw(t, "id"))
	if f.Extended {
		f.ID = uint32(rapid.IntRange(0, MaxExtendedID).Draw(t, "id"))
	}
	longest := MaxLength
	if f.FD {
		longest = MaxLengthFD
		f.Switch, f.Passive = rapid.Bool().Draw(t, "brs"), rapid.Bool().Draw(t, "esi")
	} else {
		f.Remote = rapid.Bool().Draw(t, "remote")
	}
	f.Length = Padded(rapid.IntRange(0, longest).Draw(t, "length"))
	if !f.Remote {
		same := rapid.Bool().Draw(t, "same") // long runs of equal bits
		for i := range f.Length {
			if f.Data[i] = rapid.Byte().Draw(t, "data"); same {
				f.Data[i] = f.Data[0] & 0x80 >> 7 * 0xff
			}
		}
	}
	return f
}

func digits(v uint32, n int) string {
	var s strings.Builder
	for n--; n >= 0; n-- {
		s.WriteByte('0' + byte(v>>n&1))
	}
	return s.String()
}

// plain are a frame's bits without stuff bits, up to the end of its data, as the standard's
// figures have them.
func plain(f *Frame) string {
	remote := digits(one(f.Remote), 1)
	s := "0"
	if f.Extended {
		s += digits(f.ID>>18, 11) + "11" + digits(f.ID&0x3ffff, 18) + remote
	} else {
		s += digits(f.ID, 11) + remote + "0"
	}
	switch {
	case f.FD:
		s += "10" + digits(one(f.Switch), 1) + digits(one(f.Passive), 1)
	case f.Extended:
		s += "00"
	default:
		s += "0"
	}
	s += digits(uint32(f.DLC()), 4)
	for _, v := range f.Payload() {
		s += digits(uint32(v), 8)
	}
	return s
}

// divide is the remainder of the polynomial division that the standard's CRC is.
func divide(s string) string {
	const divisor = "1100010110011001"
	b := []byte(s + strings.Repeat("0", 15))
	for i := range s {
		if b[i] == '1' {
			for j := range divisor {
				b[i+j] ^= divisor[j] & 1
			}
		}
	}
	return string(b[len(s):])
}

// stuffed puts the opposite bit after each five that are equal.
func stuffed(s string) string {
	out, run := "", 0
	add := func(c byte) {
		if run > 0 && out[len(out)-1] == c {
			run++
		} else {
			run = 1
		}
		out += string(c)
	}
	for i := range len(s) {
		add(s[i])
		if run == 5 {
			add('0' + '1' - s[i])
		}
	}
	return out
}

// TestBits holds the encoder against the standard's rules, carried out literally.
func TestBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFrame(t)
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		var b bits
		b.encode(&f)
		got := ""
		for _, v := range b.level {
			got += string('0' + v)
		}
		want, total := "", 0
		switch p := plain(&f); {
		case !f.FD:
			want = stuffed(p + divide(p))
			total = len(want)
		default:
			want = stuffed(p)
			if strings.HasSuffix(stuffed(p[:len(p)-1]), strings.Repeat(p[len(p)-1:], 4)) { // the fixed stuff bit stands there instead
				want = want[:len(want)-1]
			}
			crc := 17
			if f.Length > 16 {
				crc = 21
			}
			fixed := (4 + crc + 3) / 4
			total = len(want) + 4 + crc + fixed
		}
		if got != want || b.total != total {
			t.Fatalf("%s: bits %s, want %s; %d in all, want %d", f.String(), got, want, b.total, total)
		}
	})
}

// TestDuration has frames whose lengths are in the literature: 44 bits and 8 for each byte of
// a base frame, 64 of an extended one, and stuff bits.
func TestDuration(t *testing.T) {
	for text, want := range map[string]struct{ nominal, data int }{
		"555#":                 {44, 0},
		"555#R":                {44, 0}, // RTR lets a stuff bit go and another come
		"2AA#5555555555555555": {44 + 64, 0},
		"555##0":               {1 + 11 + 1 + 1 + 1 + 1 + 1 + 1 + 4 + 27 + 1 + 1 + 1 + 7 + 1, 0}, // DLC 0: 0000 after ESI 0, so a stuff bit
	} {
		f, err := ParseFrame(text)
		if err != nil {
			t.Fatal(err)
		}
		timing := Timing{Bitrate: 500_000, DataBitrate: 2_000_000}
		var b bits
		b.encode(&f)
		stuff := len(b.level) - len(plain(&f))
		if !f.FD {
			stuff -= 15
		}
		if f.FD {
			stuff--
		}
		if got := timing.Duration(&f); got != time.Duration(want.nominal+stuff)*2*time.Microsecond {
			t.Errorf("%s takes %s with %d stuff bits, want %d bits of 2us", text, got, stuff, want.nominal)
		}
	}
	// The data phase: from after BRS to the end of the CRC delimiter, 4 bits of a nominal one.
	slow, fast := Frame{ID: 0x555, FD: true, Length: 64}, Frame{ID: 0x555, FD: true, Switch: true, Length: 64}
	for i := range slow.Data {
		slow.Data[i], fast.Data[i] = 0x55, 0x55
	}
	timing := Timing{Bitrate: 500_000, DataBitrate: 2_000_000}
	const data = 1 + 4 + 512 + 32 + 1 // ESI, DLC, data, CRC field, delimiter
	if got, want := timing.Duration(&slow)-timing.Duration(&fast), data*(2000-500)*time.Nanosecond; got != want {
		t.Errorf("the data phase saves %s, want %s", got, want)
	}
}

func TestFrameText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFrame(t)
		back, err := ParseFrame(f.String())
		if err != nil || back != f {
			t.Fatalf("%+v is written as %s, and comes back as %+v, %v", f, f.String(), back, err)
		}
	})
	for _, text := range []string{"", "123", "1234#", "123#1", "123#zz", "xyz#", "800#", "20000000#", "123#001122334455667788", "123##", "123##4", "123##0" + strings.Repeat("00", 9), "123#R9", "123#Rx"} {
		if f, err := ParseFrame(text); err == nil {
			t.Errorf("%q is read as %s", text, f.String())
		}
	}
}
