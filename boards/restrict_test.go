package boards_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/periph/block/image"
	"backplane/periph/catalog"
	"backplane/simbus/hostfile"
)

// TestOutside has a file name one that is outside of the folder, in each way there is.
func TestOutside(t *testing.T) {
	const eeprom = "[[i2c]]\nname = \"i2c0\"\nchip = [{ name = \"e\", model = \"at24c32\", address = 0x50%s }]\n"
	for name, c := range map[string]struct{ main, board, want string }{
		"board file":      {main: "[[board]]\nfile = \"../out/b.toml\"\n", want: "in/main.toml:3:1: board file "},
		"board link":      {main: "[[board]]\nfile = \"link/b.toml\"\n", want: "in/main.toml:3:1: board file "},
		"rootfs":          {board: "[firmware]\nrootfs = [\"/etc\"]\n", want: "in/b.toml:3:11: /etc: is /etc"},
		"rootfs link":     {board: "[firmware]\nrootfs = [\".\", \"link\"]\n", want: "in/b.toml:3:16: "},
		"archive":         {board: "[firmware]\nrootfs = [\"../out/a.tar\"]\n", want: "in/b.toml:3:11: "},
		"own rootfs":      {main: "[[board]]\nfile = \"b.toml\"\nrootfs = [\"link\"]\n", want: "in/main.toml:4:11: "},
		"kernel_config":   {board: "[firmware]\nkernel_config = \"/etc/passwd\"\n", want: "in/b.toml:3:1: /etc/passwd: is /etc/passwd"},
		"contents":        {board: fmt.Sprintf(eeprom, `, file = "../out/new"`), want: "in/b.toml:4:58: "},
		"link to nothing": {board: fmt.Sprintf(eeprom, `, file = "dangling"`), want: "in/b.toml:4:58: "},
		"disk image":      {board: "[[disk]]\nname = \"d\"\nimage = \"../out/a.tar\"\n", want: "in/b.toml:4:1: "},
		"disk kept":       {board: "[[disk]]\nname = \"d\"\nkeep = \"dangling\"\n", want: "in/b.toml:4:1: "},
		"image's image":   {board: "[[disk]]\nname = \"d\"\nimage = \"overlay\"\n", want: "in/b.toml:4:1: "},
		"own contents": {main: "[[board]]\nfile = \"b.toml\"\nset = { \"e.file\" = \"/tmp/x\" }\n", board: fmt.Sprintf(eeprom, ""),
			want: "in/main.toml:4:9: /tmp/x: is /tmp/x"},
		"named pipe": {main: "[[board]]\nfile = \"b.toml\"\n[[segment]]\nname = \"lan\"\nports = []\n[[capture]]\nname = \"c\"\nat = [\"lan\"]\nfifo = \"../out/pipe\"\n",
			want: "in/main.toml:10:1: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.main == "" {
				c.main = "[[board]]\nfile = \"b.toml\"\n"
			}
			for name, text := range map[string]string{"in/main.toml": "name = \"a\"\n" + c.main, "in/b.toml": "name = \"b\"\n" + c.board,
				"out/b.toml": "name = \"secret\"\n", "out/a.tar": ""} {
				path := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for link, to := range map[string]string{"link": "../out", "dangling": "../out/new"} {
				if err := os.Symlink(to, filepath.Join(dir, "in", link)); err != nil {
					t.Fatal(err)
				}
			}
			secret := filepath.Join(dir, "out/secret.img")
			if err := image.CreateRaw(secret, 512); err != nil {
				t.Fatal(err)
			}
			below, err := image.Open(secret, hostfile.Open)
			if err == nil {
				err = errors.Join(image.Create(filepath.Join(dir, "in/overlay"), below, 0), below.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
			folder, err := hostfile.OpenFolder(filepath.Join(dir, "in"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = boards.LoadIn(folder, filepath.Join(dir, "in/main.toml"), catalog.All)
			if err == nil || !strings.HasPrefix(strings.TrimPrefix(err.Error(), dir+"/"), c.want) || !strings.Contains(err.Error(), "it must be in ") {
				t.Errorf("error %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestRestrictedKernelConfig has a kernel's configuration reach for the host.
func TestRestrictedKernelConfig(t *testing.T) {
	for line, good := range map[string]bool{
		"CONFIG_USB=y": true, "CONFIG_USB=m": true, "# CONFIG_USB is not set": true, "CONFIG_LOG_BUF_SHIFT=14": true, "CONFIG_X=0x1000": true, "# $(shell true)": true,
		`CONFIG_INITRAMFS_SOURCE="/etc"`:              false,
		`CONFIG_LOCALVERSION="$(shell touch /tmp/x)"`: false,
		`CONFIG_X=$(shell touch /tmp/x)`:              false,
		`CONFIG_X=y $(shell touch /tmp/x)`:            false,
	} {
		dir := t.TempDir()
		board := filepath.Join(dir, "b.toml")
		if err := os.WriteFile(board, []byte("name = \"b\"\n[firmware]\nkernel_config = \"k\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "k"), []byte("\n"+line+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		folder, err := hostfile.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = boards.LoadIn(folder, board, catalog.All)
		if good && err != nil || !good && (err == nil || !strings.HasPrefix(err.Error(), dir+"/k:2:1: CONFIG_")) {
			t.Errorf("%s: %v", line, err)
		}
		if _, err := boards.Load(board, catalog.All); err != nil { // a file of the user's own
			t.Errorf("%s: %v", line, err)
		}
	}
}
