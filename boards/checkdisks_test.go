package boards_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/block/image"
	"backplane/periph/catalog"
	"backplane/simbus/hostfile"
)

// TestDisks finds what is wrong with disks and their files, before anything boots.
func TestDisks(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	overlay := func(name, base string) error {
		below, err := image.Open(at(base), hostfile.Open)
		if err != nil {
			return err
		}
		return errors.Join(image.Create(at(name), below, 0), below.Close())
	}
	if err := errors.Join(image.CreateRaw(at("a.img"), 1<<20), image.CreateRaw(at("b.img"), 1<<20), overlay("a.overlay", "a.img"),
		os.WriteFile(at("odd"), make([]byte, 100), 0o600), os.Mkdir(at("folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]string{
		"":                                  "",
		"image = \"a.img\"":                 "",
		"size = \"4G\"":                     "",
		"keep = \"new\"":                    "",
		"image = \"none\"":                  "4:1: " + at("none") + ": no such file or directory",
		"image = \"odd\"":                   "4:1: " + at("odd") + " has 100 bytes",
		"image = \"folder\"":                "4:1: " + at("folder") + ": ",
		"image = \"a.img\"\nsize = \"64K\"": "a disk of 65536 bytes with an image of 1048576",
		"image = \"a.img\"\nkeep = \"a.overlay\"":                  "",
		"image = \"b.img\"\nkeep = \"a.overlay\"":                  "a.overlay is over " + at("a.img") + ", not over " + at("b.img"),
		"keep = \"none/new\"":                                      "none/new: there is no folder " + at("none"),
		"keep = \"a.img\"":                                         "a.img is a raw file; what a disk keeps is in an overlay",
		"keep = \"a.overlay\"\nsize = \"2M\"":                      "a.overlay has a disk of 1048576 bytes, not of 2097152",
		"keep = \"x\"\nread_only = true":                           "keep of a disk that is read_only",
		"size = \"100\"":                                           "a disk of 100 bytes: must be a multiple of 512",
		"serial = \"123456789012345678901\"":                       "serial has 21 bytes; it must have at most 20",
		"type = \"nvme\"":                                          "type is \"nvme\"; it must be sd, emmc or ssd",
		"cache = \"2G\"":                                           "cache is 2G; it must be 0 to 1G",
		"cache = \"0\"\nlie_about_flush = true":                    "lie_about_flush of a disk that has no cache",
		"read_rate = 1":                                            "read_rate is 1 bytes a second; it must be 1000 to 100000000000",
		"write_latency = \"1m\"":                                   "write_latency is 1m0s; it must be at most 10s",
		"depth = 1000":                                             "depth is 1000; it must be 1 to 256",
		"keep = \"new\"\n[[disk]]\nname = \"e\"\nkeep = \"./new\"": "b.e and b.d keep what they write in the same file",
	} {
		file := at("b.toml")
		if err := os.WriteFile(file, []byte("name = \"b\"\n[[disk]]\nname = \"d\"\n"+table+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := boards.Load(file, catalog.All)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nerror %v\nwant %s", table, err, want)
		}
	}
}

// TestTwoDisks: two boards of one file keep what they write in the same file, unless the
// appliance says otherwise.
func TestTwoDisks(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b.toml", "name = \"b\"\n[[disk]]\nname = \"d\"\nkeep = \"kept\"\n")
	for set, want := range map[string]string{
		"": "y.d and x.d keep what they write in the same file, kept: give each its own; for two boards of one file with set = { \"d.keep\" = \"y-kept\" }",
		"set = { \"d.keep\" = \"y-kept\", \"d.size\" = \"2M\" }": "",
		"set = { \"d.keep\" = \"y-kept\", \"d.size\" = \"2\" }":  "a disk of 2 bytes",
		"set = { \"d.kept\" = \"y-kept\" }":                      "d.kept is not a property or option",
	} {
		write("main.toml", "name = \"a\"\n[[board]]\nname = \"x\"\nfile = \"b.toml\"\n[[board]]\nname = \"y\"\nfile = \"b.toml\"\n"+set+"\n")
		a, err := boards.Load(filepath.Join(dir, "main.toml"), catalog.All)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nerror %v\nwant %s", set, err, want)
		}
		if err != nil {
			continue
		}
		for i, kept := range []string{"kept", "y-kept"} {
			b := a.Board[i].Board
			for _, c := range b.Controllers() {
				if m, ok := b.Medium(c); ok && m.Keep != filepath.Join(dir, kept) {
					t.Errorf("%s keeps what it writes in %s", b.Name, m.Keep)
				}
			}
		}
	}
}
