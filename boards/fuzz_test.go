package boards_test

import (
	"os"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/catalog"
	"backplane/simbus/costtest"
)

// FuzzLoad looks for files that crash the reader or the check.
func FuzzLoad(f *testing.F) {
	for _, file := range []string{"sensor.toml", "controller.toml", "../scenarios/thermal/appliance.toml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("name='x'\n[[i2c]]\nname='i'\nchip=[{name='r', model='registers', address=8, registers={register=[{name='a', width=8}]}}]")
	f.Add("name='x'\n[[gateway]]\nsegment='l'\naddress='10.0.0.1/24'\nforward=[{host='1', to='b:1'}]\nallow=['1.2.3.4:5']\n[[segment]]\nname='l'\nports=['b.e']\n[[board]]\nfile='f.toml'")
	f.Fuzz(func(t *testing.T, text string) { load(t, len(text), write(t, "f.toml", text)) })
}

// load loads files of so many bytes, whatever comes of it.
func load(t *testing.T, size int, file string) {
	t.Helper()
	costtest.Of(size).Run(t, func() {
		if a, err := boards.Load(file, catalog.All); (a == nil) == (err == nil) {
			t.Errorf("an appliance and an error, or neither: %v, %v", a, err)
		}
	})
}

// FuzzAppliance looks for appliances with boards that crash the reader or the check.
func FuzzAppliance(f *testing.F) {
	text, err := os.ReadFile("../scenarios/thermal/appliance.toml")
	if err != nil {
		f.Fatal(err)
	}
	board, err := os.ReadFile("sensor.toml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text), string(board))
	f.Add("name='a'\n[[board]]\nfile='b.toml'\nset={c.temperature=1}\nethernet=[{name='e', address='10.0.0.1/24'}]\n[[board]]\nname='c'\nfile='b.toml'\n"+
		"[[segment]]\nname='s'\nports=['b.e', 'c.e']\nport=[{name='b.e', vlan=1, trunk=[2], mirror=['c.e'], tx={loss=0.5}}]\n"+
		"[[wire]]\nname='w'\nfrom='b.g.l'\nto='c.g.m'\n[[serial]]\nname='l'\nports=['b.u', 'c.u']\n[[capture]]\nname='p'\nat=['s:b.e']\nfilter='arp'\n"+
		"[[gateway]]\nname='o'\nsegment='s'\naddress='10.0.0.254/24'\nleases={b='10.0.0.9'}\nforward=[{host='8080', to='c:80'}]\nallow=['10.1.0.0/16:443']",
		"name='b'\n[[gpio]]\nname='g'\nlines=['l', 'm']\n[[i2c]]\nname='i'\nchip=[{name='c', model='tmp102', address=0x48, pins={alert='g.l'}}]\n[[serial]]\nname='u'\n[[ethernet]]\nname='e'\n")
	f.Fuzz(func(t *testing.T, text, board string) {
		times := 1 + strings.Count(text, "file") // that it may be read
		load(t, len(text)+times*len(board), write(t, "f.toml", text, "b.toml", board))
	})
}

// FuzzQuantities reads amounts, and wants back what was written.
func FuzzQuantities(f *testing.F) {
	for _, text := range []string{"64M", "4T", "9223372036854775807", "1000k", "50us", "1h2m3.5s", "-1", "0x10", "", "K"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size, sizeAgain boards.Size
		if size.UnmarshalText([]byte(text)) == nil {
			if err := sizeAgain.UnmarshalText([]byte(size.String())); err != nil || size != sizeAgain || size < 0 {
				t.Errorf("%q is %d, and %s is %d: %v", text, size, size, sizeAgain, err)
			}
		}
		var rate, rateAgain boards.Rate
		if rate.UnmarshalText([]byte(text)) == nil {
			if err := rateAgain.UnmarshalText([]byte(rate.String())); err != nil || rate != rateAgain || rate <= 0 {
				t.Errorf("%q is %d, and %s is %d: %v", text, rate, rate, rateAgain, err)
			}
		}
		var length boards.Duration
		if length.UnmarshalText([]byte(text)) == nil && length < 0 {
			t.Errorf("%q is %d", text, length)
		}
	})
}
