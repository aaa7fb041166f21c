package tests

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenings starts appliances with gateways, which say what they open.
func TestOpenings(t *testing.T) {
	for settings, want := range map[string]string{
		"":                     "boards reach all that this machine reaches, private networks too, and none of this machine's own services\n",
		"host_access = true\n": "boards reach all that this machine reaches, private networks too, and this machine's own services\n",
		"allow = []\n":         "boards reach nothing outside but its names, and none of this machine's own services\n",
		"allow = [\"10.1.0.0/16\", \"10.2.0.1:443\"]\nforward = [{ host = \"127.0.0.1:0\", to = \"b:80\" }]\n": "boards reach 10.1.0.0/16, 10.2.0.1:443, and none of this machine's own services; 127.0.0.1:0 of this machine leads to b:80\n",
	} {
		dir := writeFiles(t, map[string]string{
			"b.toml": "name = \"b\"\n[[ethernet]]\nname = \"eth0\"\naddress = \"dhcp\"\n",
			"a.toml": "name = \"a\"\npaced = true\n[[board]]\nfile = \"b.toml\"\noff = true\n[[segment]]\nname = \"lan\"\nports = [\"b.eth0\"]\n" +
				"[[gateway]]\nname = \"outside\"\nsegment = \"lan\"\naddress = \"10.0.0.1/24\"\n" + settings,
			"s.toml": "appliance = \"a.toml\"\n[[step]]\nwait = \"1ms\"\n",
		})
		record := filepath.Join(t.TempDir(), "record")
		if _, errs, status := run(t, nil, "run", filepath.Join(dir, "s.toml"), "--out", record); status != 0 || !strings.Contains(errs, "gateway outside: "+want) {
			t.Errorf("%q: status %d\n%swant %s", settings, status, errs, want)
		}
		if _, errs, status := run(t, nil, "replay", record); status != 0 || strings.Contains(errs, "gateway") {
			t.Errorf("%q: replay: status %d\n%s", settings, status, errs)
		}
	}
	out, _, _ := run(t, nil, "doctor")
	for _, want := range []string{"gateways", "private networks too", "  namespaces ", "  mounts in them ", "  Landlock ", "  limit of processes ", "  first for the OOM killer "} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor says nothing of %q\n%s", want, out)
		}
	}
}
