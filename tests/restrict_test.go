package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/tests/guesttest"
)

// TestRestrict runs a scenario from elsewhere: it plays, and writes nothing but its record.
func TestRestrict(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"s.toml": `appliance = "b.toml"
[[step]]
exec = { board = "b", command = ["busybox", "dd", "if=/dev/zero", "of=/sys/bus/i2c/devices/0-0050/eeprom", "bs=32", "count=1"] }
[[step]]
exec = { board = "b", command = ["busybox", "readlink", "/secret"], output = "^/etc/passwd$" }
[[step]]
exec = { board = "b", command = ["busybox", "cat", "/secret"], status = 1 }
`,
		"b.toml": `name = "b"
memory = "64M"
[firmware]
rootfs = ["root"]
[[i2c]]
name = "i2c0"
chip = [{ name = "e", model = "at24c32", address = 0x50, file = "e.bin" }]
`})
	if err := os.Rename(guesttest.Rootfs(t, "busybox"), filepath.Join(dir, "root")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "root/secret")); err != nil {
		t.Fatal(err)
	}
	contents := strings.Repeat("x", 4096)
	if err := os.WriteFile(filepath.Join(dir, "e.bin"), []byte(contents), 0o600); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join(t.TempDir(), "record")
	if out, errs, status := run(t, nil, "run", "--restrict", filepath.Join(dir, "s.toml"), "--out", record); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	if now, err := os.ReadFile(filepath.Join(dir, "e.bin")); string(now) != contents {
		t.Errorf("the chip's file has changed (%v)", err)
	}
	if list, err := os.ReadDir(dir); len(list) != 4 {
		t.Errorf("the folder has %v (%v)", list, err)
	}
	if out, errs, status := run(t, nil, "replay", "--restrict", "--appliance", filepath.Join(dir, "b.toml"), record); status != 0 || !strings.HasPrefix(out, "SAME") {
		t.Errorf("replay: status %d\n%s%s", status, out, errs)
	}
	// A record from elsewhere names an appliance of this machine's, and has a link for a file.
	if _, errs, status := run(t, nil, "replay", "--restrict", record); status != 2 || !strings.Contains(errs, "is "+filepath.Join(dir, "b.toml")+"; it must be in "+record) {
		t.Errorf("replay of what the record names: status %d\n%s", status, errs)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(record, "contents", "x")); err != nil {
		t.Fatal(err)
	}
	if _, errs, status := run(t, nil, "replay", "--restrict", "--appliance", filepath.Join(dir, "b.toml"), record); status != 2 || !strings.Contains(errs, "contents/x: is /etc/passwd; it must be in "+record) {
		t.Errorf("replay of a record with a link: status %d\n%s", status, errs)
	}
}

// TestRestrictRefuses has files ask for what --restrict does not give.
func TestRestrictRefuses(t *testing.T) {
	const gateway = "name = \"a\"\npaced = true\n[[board]]\nfile = \"b.toml\"\n[[segment]]\nname = \"lan\"\nports = [\"b.eth0\"]\n"
	dir := writeFiles(t, map[string]string{
		"b.toml":        "name = \"b\"\n[[ethernet]]\nname = \"eth0\"\n",
		"gateway.toml":  gateway + "[[gateway]]\nname = \"out\"\nsegment = \"lan\"\naddress = \"10.0.0.1/24\"\n",
		"pipe.toml":     gateway + "[[capture]]\nname = \"c\"\nat = [\"lan\"]\nfifo = \"p\"\n",
		"include.toml":  "appliance = \"b.toml\"\n[[step]]\ninclude = \"/etc/passwd\"\n",
		"scenario.toml": "appliance = \"gateway.toml\"\n[[step]]\nwait = \"1s\"\n",
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(at("sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at("sub/far.toml"), []byte("appliance = \"../b.toml\"\n[[step]]\nwait = \"1s\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"up", "--restrict", at("gateway.toml")}, at("gateway.toml") + ":8:3: gateway out leads out of the appliance"},
		{[]string{"run", "--restrict", at("scenario.toml")}, at("gateway.toml") + ":8:3: gateway out leads out of the appliance"},
		{[]string{"check", "--restrict", at("pipe.toml")}, at("pipe.toml") + ":11:1: capture c makes a named pipe"},
		{[]string{"run", "--restrict", at("sub/far.toml")}, at("sub/far.toml") + ":1:1: " + at("b.toml") + ": is " + at("b.toml") + "; it must be in " + at("sub")},
		{[]string{"check", "--restrict=" + at("sub"), at("b.toml")}, "--restrict: open " + at("b.toml") + ": is " + at("b.toml") + "; it must be in " + at("sub")},
		{[]string{"run", "--restrict", at("include.toml")}, at("include.toml") + ":3:1: /etc/passwd: is /etc/passwd; it must be in " + dir},
		{[]string{"up", "--restrict", "--unconfined", at("b.toml")}, "--restrict and --unconfined exclude each other"},
	} {
		_, errs, status := run(t, nil, c.args...)
		if status != 2 || !strings.Contains(errs, c.want) {
			t.Errorf("%s: status %d\n%swant %s", strings.Join(c.args, " "), status, errs, c.want)
		}
	}
	if out, errs, status := run(t, nil, "check", "--restrict="+dir, "--paths", at("sub/far.toml")); status != 0 || !strings.Contains(out, at("sub/far.toml")+":1:1: ../b.toml -> "+at("b.toml")+"\n") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
	if _, err := os.Stat(at("p")); err == nil {
		t.Error("there is a pipe")
	}
}
