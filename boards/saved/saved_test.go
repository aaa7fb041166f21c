package saved_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/boards/saved"
	"backplane/periph/block/image"
	"backplane/periph/catalog"
	"backplane/simbus/hostfile"
)

const board = `name = "box"

[[disk]]
name = "data"
image = "data.img"
keep = "data.overlay"

[[disk]]
name = "later"
size = "1M"
keep = "later.overlay"

[[i2c]]
name = "i2c0"

[[i2c.chip]]
name = "eeprom"
model = "at24c32"
address = 0x50
file = "eeprom.bin"
`

// place is a folder with a board that has kept something.
type place struct {
	t   *testing.T
	dir string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t, t.TempDir()}
	p.write("box.toml", board)
	if err := image.CreateRaw(p.at("data.img"), 1<<20); err != nil {
		t.Fatal(err)
	}
	below, err := image.Open(p.at("data.img"), hostfile.Open)
	if err == nil {
		err = image.Create(p.at("data.overlay"), below, 0)
		below.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	p.put("before")
	p.write("eeprom.bin", strings.Repeat("e", 4096))
	return p
}

func (p *place) at(name string) string { return filepath.Join(p.dir, name) }

func (p *place) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(p.at(name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// put writes to the disk.
func (p *place) put(text string) {
	p.t.Helper()
	o, _, err := image.OpenOverlay(p.at("data.overlay"), hostfile.Open)
	if err == nil {
		err = o.WriteV([][]byte{bytes.Repeat([]byte(text), 4096)[:4096]}, 8192)
	}
	if err == nil {
		err = o.Flush()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	o.Close()
}

// has checks what the disk and the chip have.
func (p *place) has(disk, chip string) {
	p.t.Helper()
	i, err := image.Open(p.at("data.overlay"), hostfile.Open)
	if err != nil {
		p.t.Fatal(err)
	}
	defer i.Close()
	got := make([]byte, len(disk))
	if err := i.ReadV([][]byte{got}, 8192); err != nil || string(got) != disk {
		p.t.Errorf("the disk has %q, %v; want %q", got, err, disk)
	}
	if b, err := os.ReadFile(p.at("eeprom.bin")); err != nil || string(b[:1]) != chip || len(b) != 4096 {
		p.t.Errorf("the chip has %.1q, %v; want %q", b, err, chip)
	}
}

func (p *place) load() *boards.Appliance {
	p.t.Helper()
	a, err := boards.Load(p.at("box.toml"), catalog.All)
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

func (p *place) save() {
	p.t.Helper()
	if _, err := saved.Save(p.t.Context(), p.load(), p.at("saved")); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) restore(changed bool) error {
	p.t.Helper()
	m, err := saved.Load(p.at("saved"))
	if err != nil {
		p.t.Fatal(err)
	}
	a, err := boards.LoadAnew(nil, p.at("box.toml"), catalog.All)
	if err != nil {
		p.t.Fatal(err)
	}
	return m.Restore(p.t.Context(), a, p.at("saved"), changed)
}

// spoil is what goes on after the state was saved.
func (p *place) spoil() {
	p.t.Helper()
	p.put("after!")
	p.write("eeprom.bin", strings.Repeat("x", 4096))
	if err := image.Create(p.at("later.overlay"), nil, 1<<20); err != nil {
		p.t.Fatal(err)
	}
}

// left are files that are neither kept nor saved.
func (p *place) left() {
	p.t.Helper()
	for _, pattern := range []string{".*", "saved/.*"} {
		if names, err := filepath.Glob(p.at(pattern)); err != nil || len(names) > 0 {
			p.t.Errorf("there is %q, %v", names, err)
		}
	}
}

func fails(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestRestore: what was saved is there again, and what was not there is gone.
func TestRestore(t *testing.T) {
	p := newPlace(t)
	p.save()
	p.spoil()
	p.has("after!", "x")
	if err := p.restore(false); err != nil {
		t.Fatal(err)
	}
	p.has("before", "e")
	if _, err := os.Stat(p.at("later.overlay")); err == nil {
		t.Error("a disk that had kept nothing keeps something")
	}
	p.put("again!") // it is whole, and nobody has it
	if err := p.restore(false); err != nil {
		t.Fatal(err)
	}
	p.has("before", "e")
	p.left()
	_, err := saved.Save(t.Context(), p.load(), p.at("saved"))
	fails(t, err, "is there already")
	ctx, end := context.WithCancelCause(t.Context())
	end(errors.New("the user has had enough"))
	_, err = saved.Save(ctx, p.load(), p.at("another"))
	fails(t, err, "the user has had enough")
	m, err := saved.Load(p.at("saved"))
	if err != nil {
		t.Fatal(err)
	}
	fails(t, m.Restore(ctx, p.load(), p.at("saved"), false), "the user has had enough")
	p.has("before", "e")
	p.left()
	_, err = saved.Load(p.dir)
	fails(t, err, "'backplane state save' makes such a folder")
	for text, want := range map[string]string{"": "unexpected end", "{}": "does not say whose state it is"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, saved.ManifestFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := saved.Load(dir)
		fails(t, err, want)
	}
}

// TestRestoreOverAnything: what is there now need not fit, nor be an overlay at all.
func TestRestoreOverAnything(t *testing.T) {
	p := newPlace(t)
	p.save()
	if err := image.Create(p.at("later.overlay"), nil, 2<<20); err != nil { // the board says 1M
		t.Fatal(err)
	}
	p.write("data.overlay", "rubbish")
	p.write("eeprom.bin", "too short")
	_, err := boards.Load(p.at("box.toml"), catalog.All)
	fails(t, err, "later.overlay has a disk of 2097152 bytes, not of 1048576")
	if err := p.restore(false); err != nil {
		t.Fatal(err)
	}
	p.has("before", "e")
	p.left()
}

// TestRestoreSpeaksOfFiles: what does not fit is named as the user knows it.
func TestRestoreSpeaksOfFiles(t *testing.T) {
	p := newPlace(t)
	p.save()
	p.write("box.toml", strings.Replace(board, `image = "data.img"`, `size = "2M"`, 1))
	fails(t, p.restore(true), "box.data: "+p.at("data.overlay")+" has a disk of 1048576 bytes, not of 2097152")
	p.left()
}

// TestRefusals: what does not fit is refused, and then nothing has been replaced.
func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil   func(p *place)
		changed bool
		want    string
	}{
		"board":   {func(p *place) { p.write("box.toml", board+"\n# more\n") }, false, "the appliance's file has changed: "},
		"another": {func(p *place) { p.write("box.toml", strings.ReplaceAll(board, `"later"`, `"other"`)) }, true, "has nothing of box.other"},
		"fewer":   {func(p *place) { p.write("box.toml", board[:strings.Index(board, "[[i2c]]")]) }, true, "has what box.eeprom has kept"},
		"file":    {func(p *place) { p.write("saved/box.data", "x") }, false, "box.data: "},
		"gone":    {func(p *place) { os.Remove(p.at("saved/box.eeprom")) }, false, "box.eeprom: "},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.save()
			p.spoil()
			c.spoil(p)
			fails(t, p.restore(c.changed), c.want)
			p.has("after!", "x")
			p.left()
		})
	}
	t.Run("image", func(t *testing.T) {
		p := newPlace(t)
		p.save()
		p.write("data.img", strings.Repeat("new!", 1<<18))
		if err := os.Remove(p.at("data.overlay")); err != nil {
			t.Fatal(err)
		}
		fails(t, p.restore(false), "box.data: its image "+p.at("data.img")+" was changed at ")
		p.left()
	})
	t.Run("a run has it", func(t *testing.T) {
		p := newPlace(t)
		p.save()
		o, _, err := image.OpenOverlay(p.at("data.overlay"), hostfile.Open)
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		fails(t, p.restore(false), "is in use by another run")
		_, err = saved.Save(t.Context(), p.load(), p.at("second"))
		fails(t, err, "is in use by another run")
		p.left()
	})
	t.Run("a run has a chip's", func(t *testing.T) {
		p := newPlace(t)
		p.save()
		f, _, err := hostfile.Keep(p.at("eeprom.bin"), 4096, 0xff)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		fails(t, p.restore(false), "box.eeprom: "+p.at("eeprom.bin")+" is in use by another run")
		_, err = saved.Save(t.Context(), p.load(), p.at("second"))
		fails(t, err, "box.eeprom: "+p.at("eeprom.bin")+" is in use by another run")
		p.left()
	})
}
