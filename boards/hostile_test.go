package boards_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/simbus/costtest"

	"golang.org/x/sys/unix"
)

// TestFilesThatFilesName refuses what has no end, or what nobody writes to, at the place
// that names it.
func TestFilesThatFilesName(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, is := range map[string]string{"/dev/zero": "a device", pipe: "a pipe"} {
		for text, want := range map[string]string{
			"[firmware]\nrootfs = [%q]":      "b.toml:3:11: %s: is %s; it must be a folder or an archive",
			"[firmware]\nkernel_config = %q": "b.toml:3:1: %s: is %s; it must be a file",
			"i2c = [{name='i', chip=[{name='e', model='at24c32', address=0x50, file=%q}]}]": "b.toml:2:67: %s: is %s; it must be a file",
		} {
			file := write(t, "b.toml", "name = 'b'\n"+fmt.Sprintf(text, what))
			if got, want := mistakes(t, file), fmt.Sprintf(want, what, is); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		}
		appliance := write(t, "a.toml", fmt.Sprintf("name = 'a'\n[[board]]\nfile = %q\n[[board]]\nfile = 'b.toml'\nrootfs = [%q]\n", what, what), "b.toml", "name = 'b'")
		want := fmt.Sprintf("a.toml:3:1: board file %s: is %s; it must be a file\na.toml:6:11: %s: is %s; it must be a folder or an archive", what, is, what, is)
		if got := mistakes(t, appliance); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	fifo := write(t, "a.toml", "name = 'a'\n[[board]]\nfile = 'b.toml'\n[[segment]]\nname = 'lan'\n[[capture]]\nname = 'c'\nat = ['lan']\nfifo = 'b.toml'\n", "b.toml", "name = 'b'")
	if got := mistakes(t, fifo); got != "a.toml:9:1: b.toml is a file; it must be a pipe, or absent" {
		t.Error(got)
	}
	folder := write(t, "b.toml", "name = 'b'\n[firmware]\nrootfs = ['/proc']")
	if got := mistakes(t, folder); got != "b.toml:3:11: /proc: is on the file system proc, which has no files to copy" {
		t.Error(got)
	}
}

// TestMuchOfEverything loads large files that are good or wrong in all their parts: what
// they cost is in proportion, and little is said of them.
func TestMuchOfEverything(t *testing.T) {
	const most = 200_000
	many := func(first, each, last string) string {
		var b strings.Builder
		b.WriteString(first)
		for i := 0; b.Len() < most-len(last)-200; i++ {
			b.WriteString(strings.ReplaceAll(each, "%", fmt.Sprint(i)))
		}
		return b.String() + last
	}
	lines := "name='b'\n[[gpio]]\nname='g'\nlines=[" + strings.Repeat("'a',", 20_000) + "'l']\n"
	named := "name='b'\n[[gpio]]\nname='g'\nlines=["
	for i := range 10_000 {
		named += fmt.Sprintf("'%d_',", i)
	}
	named += "]\n"
	for name, files := range map[string][]string{
		"chips at one address":   {"b.toml", many("name='b'\n[[i2c]]\nname='i'\nchip=[\n", "{name='c%',model='tmp102',address=0x48},\n", "]")},
		"chips of one name":      {"b.toml", many("name='b'\n[[i2c]]\nname='i'\nchip=[\n", "{name='c',model='tmp102',address=0x48},\n", "]")},
		"chips of no model":      {"b.toml", many("name='b'\n[[i2c]]\nname='i'\nchip=[\n", "{name='c%',model='t'},\n", "]")},
		"chips on many lines":    {"b.toml", many(lines+"chip=[\n", "{name='c%',model='led',pins={in='l'}},\n", "]")},
		"chips on no line":       {"b.toml", many(named+"chip=[\n", "{name='c%',model='led',pins={in='m'}},\n", "]")},
		"chips on no controller": {"b.toml", many("name='b'\n", "[[gpio]]\nname='g%'\nlines=['a']\nchip=[{name='c%',model='led',pins={in='h.a'}}]\n", "")},
		"buses":                  {"b.toml", many("name='b'\n", "[[i2c]]\nname='i%'\n", "")},
		"Ethernet ports":         {"b.toml", many("name='b'\n", "[[ethernet]]\nname='e%'\naddress='10.0.0.1/24'\n", "")},
		"registers":              {"b.toml", many("name='b'\n[[i2c]]\nname='i'\n[[i2c.chip]]\nname='c'\nmodel='registers'\naddress=8\nregisters.register=[\n", "{name='r%',address=%,width=8},\n", "]")},
		"names that are long":    {"b.toml", "name='b'\n[[i2c]]\nname='" + strings.Repeat("i", most/2) + "'\nchip=[{name='" + strings.Repeat("c", most/2-1000) + "'}]"},
		"an amount that is long": {"b.toml", "name='b'\nmemory='" + strings.Repeat("1", most/2) + "'"},
		"boards":                 {"a.toml", many("name='a'\n", "[[board]]\nfile='b.toml'\nname='b%'\n", ""), "b.toml", "name='b'"},
		"large boards":           {"a.toml", many("name='a'\n", "[[board]]\nfile='b.toml'\nname='b%'\n", ""), "b.toml", "name='b'\n" + strings.Repeat("#", most-100)},
		"segments":               {"a.toml", many("name='a'\n[[board]]\nfile='b.toml'\n", "[[segment]]\nname='s%'\nports=['b.e','b.f','c.g']\n", ""), "b.toml", "name='b'\n[[ethernet]]\nname='e'"},
		"gateways":               {"a.toml", many("name='a'\n[[board]]\nfile='b.toml'\n", "[[segment]]\nname='s%'\n[[gateway]]\nname='g%'\nsegment='s%'\naddress='10.0.0.1/24'\n", ""), "b.toml", "name='b'\n[[ethernet]]\nname='e'"},
		"wires":                  {"a.toml", many("name='a'\n[[board]]\nfile='b.toml'\n[[board]]\nname='c'\nfile='b.toml'\n", "[[wire]]\nname='w%'\nfrom='b.g.l'\nto='c.g.l'\n", ""), "b.toml", lines},
		"settings":               {"a.toml", many("name='a'\n[[board]]\nfile='b.toml'\n[board.set]\n", "p%.x=1\n", ""), "b.toml", many("name='b'\n[[i2c]]\nname='i'\nchip=[\n", "{name='c%',model='tmp102',address=0x48},\n", "]")},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, files...)
			size := 0
			for _, text := range files {
				size += len(text)
			}
			if strings.Contains(name, "boards") {
				size *= 20 // each is read for each instance
			}
			var got string
			costtest.Of(size).Run(t, func() { got = mistakes(t, file) })
			if len(got) > 25_000 {
				t.Errorf("%d bytes are said", len(got))
			}
		})
	}
}

// TestTooManyBoards says how many there may be.
func TestTooManyBoards(t *testing.T) {
	var text strings.Builder
	text.WriteString("name = 'a'\n")
	for i := range boards.MaxBoards + 1 {
		fmt.Fprintf(&text, "[[board]]\nname = 'b%d'\nfile = 'b.toml'\n", i)
	}
	want := "a.toml:3002:3: the appliance has 1001 boards; it may have 1000, with files of up to 32 MiB together"
	if got := mistakes(t, write(t, "a.toml", text.String(), "b.toml", "name = 'b'")); got != want {
		t.Errorf("got  %.300s\nwant %s", got, want)
	}
}
