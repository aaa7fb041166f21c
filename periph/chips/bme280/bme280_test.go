package bme280

import (
	"fmt"
	"math"
	"testing"
	"time"

	"backplane/periph"
	"backplane/periph/chips/chiptest"
	"backplane/periph/i2c"
)

// TestProbe is what Linux's bmp280 driver does when it binds, on both buses: the
// identity, a reset, the configuration, the calibration.
func TestProbe(t *testing.T) {
	t.Run("i2c", func(t *testing.T) {
		b := chiptest.PowerOn(t, Model, nil)
		b.Wait(2 * time.Millisecond)
		b.Run("W d0 R 60", "W e0 b6", "W f3 R 01")
		b.Wait(2 * time.Millisecond)
		b.Run("W f3 R 00", "W f2 R 00", "W f2 05", "W f4 R 00", "W f4 54", "W f5 R 00", "W f5 08",
			"W 88 R 70 6b 43 67 18 fc 7d 8e 43 d6 d0 0b 27 0b 8c 00 f9 ff 8c 3c f8 c6 70 17",
			"W a1 R 4b", "W e1 R 6a 01 00 13 29 03 1e", "W f4 54")
	})
	t.Run("spi", func(t *testing.T) {
		b := chiptest.PowerOn(t, Model, nil)
		b.Wait(2 * time.Millisecond)
		b.RunSPI("W d0 R 60", "W 60 b6", "W f3 R 01")
		b.Wait(2 * time.Millisecond)
		b.RunSPI("W f3 R 00", "W f2 R 00", "W 72 05", "W f4 R 00", "W 74 54", "W f5 R 00", "W 75 08",
			"W 88 R 70 6b 43 67 18 fc 7d 8e 43 d6 d0 0b 27 0b 8c 00 f9 ff 8c 3c f8 c6 70 17",
			"W a1 R 4b", "W e1 R 6a 01 00 13 29 03 1e", "X 88 00 00 00 = ff 70 6b 43", "W 74 54")
	})
}

// TestBuses: pairs of register and value are written in one go, and values are read
// on from a register.
func TestBuses(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Wait(time.Second)
	b.Run("W f2 01 f5 a0 f4 24", "W f2 R 01 00 24 a0", "W d0 R 60")
	b.RunSPI("W 72 02 75 c0 74 48", "W f2 R 02 00 48 c0", "W f2 R 02 W 00 R 48")
	b.Run("W e0 b5", "W f2 R 02", "W d0 11", "W d0 R 60") // no reset word, and a register that cannot be written
	b.RunSPI("W 75 01", "W f2 R ff ff")                   // three wires: nothing is on SDO
}

// compensate is the compensation of DS002 section 8.1, in floating point: °C, Pa and
// % relative. The model has that in whole numbers.
func compensate(raw raw) (temperature, pressure, humidity float64) {
	k := &calibration
	adc := float64(raw.temperature)
	a := (adc/16384 - float64(k.t1)/1024) * float64(k.t2)
	b := adc/131072 - float64(k.t1)/8192
	fine := a + b*b*float64(k.t3)

	a = fine/2 - 64000
	b = a * a * float64(k.p6) / 32768
	b += a * float64(k.p5) * 2
	b = b/4 + float64(k.p4)*65536
	a = (float64(k.p3)*a*a/524288 + float64(k.p2)*a) / 524288
	a = (1 + a/32768) * float64(k.p1)
	p := (1048576 - float64(raw.pressure) - b/4096) * 6250 / a
	a = float64(k.p9) * p * p / 2147483648
	b = p * float64(k.p8) / 32768
	pressure = p + (a+b+float64(k.p7))/16

	h := fine - 76800
	h = (float64(raw.humidity) - (float64(k.h4)*64 + float64(k.h5)/16384*h)) *
		(float64(k.h2) / 65536 * (1 + float64(k.h6)/67108864*h*(1+float64(k.h3)/67108864*h)))
	return fine / 5120, pressure, min(max(h*(1-float64(k.h1)*h/524288), 0), 100)
}

// TestCompensation: the data sheet's arithmetic gives the air that was set.
func TestCompensation(t *testing.T) {
	for temperature := -40.0; temperature <= 85; temperature += 12.5 {
		for pressure := 300.0; pressure <= 1100; pressure += 101.325 {
			for humidity := 0.0; humidity <= 100; humidity += 12.5 {
				air := air{temperature, pressure * 100, humidity}
				for _, samples := range []int{1, 16} {
					c, p, h := compensate(air.raw(sampling{samples, samples, samples}, 0))
					at := fmt.Sprintf("%v °C, %v hPa, %v %%, %d samples", temperature, pressure, humidity, samples)
					if math.Abs(c-temperature) > 0.01 {
						t.Errorf("%s: %v °C", at, c)
					}
					off := 0.5 // a bit of 20 is 0.16 Pa, of 16 2.6; the rest is rounding
					if samples == 1 {
						off = 2
					}
					if math.Abs(p-pressure*100) > off {
						t.Errorf("%s: %v Pa", at, p)
					}
					if math.Abs(h-humidity) > 0.02 {
						t.Errorf("%s: %v %%", at, h)
					}
				}
			}
		}
	}
}

// measured is what the driver makes of the data registers.
func measured(b *chiptest.Bench) string {
	b.T.Helper()
	target, err := i2c.TargetOf(b.Chip)
	if err != nil {
		b.T.Fatal(err)
	}
	d := make([]byte, 8)
	if err := target.Transfer([]i2c.Msg{{Data: []byte{0xf7}}, {Read: true, Data: d}}); err != nil {
		b.T.Fatal(err)
	}
	raw := raw{int(d[0])<<12 | int(d[1])<<4 | int(d[2])>>4, int(d[3])<<12 | int(d[4])<<4 | int(d[5])>>4, int(d[6])<<8 | int(d[7])}
	t, p, h := compensate(raw)
	show := func(skipped bool, text string) string {
		if skipped {
			return "-"
		}
		return text
	}
	return show(raw.temperature == 0x80000, fmt.Sprintf("%.1f", t)) + " " +
		show(raw.pressure == 0x80000, fmt.Sprintf("%.0f", p/100)) + " " +
		show(raw.humidity == 0x8000, fmt.Sprintf("%.1f", h))
}

func wantMeasured(b *chiptest.Bench, want string) {
	b.T.Helper()
	if got := measured(b); got != want {
		b.T.Errorf("at %s: measured %q, want %q", b.Clock.Now(), got, want)
	}
}

// TestForced: one measurement takes its time, and then the chip sleeps.
func TestForced(t *testing.T) {
	b := chiptest.PowerOn(t, Model, map[string]periph.Value{"temperature": periph.Num(21.5), "pressure": periph.Num(980), "humidity": periph.Num(40)})
	b.Wait(2 * time.Millisecond)
	wantMeasured(b, "- - -")
	b.Run("W f2 01", "W f4 26", "W f3 R 08", "W f4 R 26") // forced: 10 is as good as 01
	b.Wait(7999 * time.Microsecond)                       // 1 + 2 + 2.5 + 2.5 ms
	b.Run("W f3 R 08")
	wantMeasured(b, "- - -")
	b.Wait(2 * time.Microsecond)
	b.Run("W f3 R 00", "W f4 R 24")
	wantMeasured(b, "21.5 980 40.0")
	b.Set("temperature", periph.Num(30)) // nobody measures
	b.Wait(time.Second)
	wantMeasured(b, "21.5 980 40.0")
	b.Run("W f2 00", "W f4 25") // humidity is skipped from now on
	b.Wait(time.Second)
	wantMeasured(b, "30.0 980 -")
	b.Run("W f2 01") // counts when ctrl_meas is written
	b.Run("W f4 21")
	b.Wait(time.Second)
	wantMeasured(b, "30.0 - 40.0")
}

// TestNormal: measurements follow each other with the standby time in between, and
// see the air as it is when they end.
func TestNormal(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Wait(2 * time.Millisecond)
	b.Run("W f2 01", "W f5 40", "W f4 27") // 125 ms after each of 8 ms
	b.Wait(9 * time.Millisecond)
	b.Run("W f3 R 00", "W f5 e0", "W f5 R 40") // no new configuration in normal mode
	wantMeasured(b, "25.0 1013 50.0")
	b.Set("humidity", periph.Num(60))
	b.Wait(123 * time.Millisecond)
	b.Run("W f3 R 00")
	b.Wait(2 * time.Millisecond)
	b.Run("W f3 R 08")
	wantMeasured(b, "25.0 1013 50.0")
	b.Set("humidity", periph.Num(70))
	b.Wait(10 * time.Millisecond)
	wantMeasured(b, "25.0 1013 70.0")
	b.Wait(time.Hour)
	b.Set("humidity", periph.Num(20)) // the last measurement was of 70 %
	wantMeasured(b, "25.0 1013 70.0")
	b.Wait(time.Second)
	wantMeasured(b, "25.0 1013 20.0")
	b.Run("W f4 24") // sleep
	b.Wait(time.Second)
	b.Set("humidity", periph.Num(80))
	b.Wait(time.Second)
	wantMeasured(b, "25.0 1013 20.0")
}

// TestModeWaits: a mode that is written during a measurement begins after it, and
// the next one written is ignored.
func TestModeWaits(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Wait(2 * time.Millisecond)
	b.Run("W f4 25", "W f4 23", "W f4 00", "W f4 R 23")
	b.Wait(5501 * time.Microsecond)
	wantMeasured(b, "25.0 1013 -")
	b.Run("W f3 R 08") // normal mode now
	b.Wait(time.Second)
	wantMeasured(b, "25.0 - -")
}

// TestFilter: the filter lets temperature and pressure follow, and humidity jump.
func TestFilter(t *testing.T) {
	b := chiptest.PowerOn(t, Model, nil)
	b.Wait(2 * time.Millisecond)
	b.Run("W f2 01", "W f5 08") // 4
	forced := func(want string) {
		t.Helper()
		b.Run("W f4 25")
		b.Wait(20 * time.Millisecond)
		wantMeasured(b, want)
	}
	forced("25.0 1013 50.0")
	b.Set("temperature", periph.Num(65))
	b.Set("humidity", periph.Num(20))
	for _, want := range []float64{35, 42.5, 48.1} {
		b.Run("W f4 25")
		b.Wait(20 * time.Millisecond)
		var got float64
		if _, err := fmt.Sscan(measured(b), &got); err != nil || math.Abs(got-want) > 0.3 { // it filters what is not compensated
			t.Errorf("measured %v, want about %v (%v)", got, want, err)
		}
	}
	b.Run("W f5 00")
	forced("65.0 1013 20.0")
	b.Run("W f5 0c")
	forced("65.0 1013 20.0")
}
