package boards

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/periph"
	ethernet "backplane/periph/net"
)

// TestAddressesAreGivenInOrder works out who gets which address: what stands in
// files first, then leases, then the lowest that are free, by the segment's ports.
func TestAddressesAreGivenInOrder(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("b.toml", "name = 'b'\n[[ethernet]]\nname = 'eth0'\naddress = 'dhcp'\n[[ethernet]]\nname = 'eth1'\n")
	put("fixed.toml", "name = 'fixed'\n[[ethernet]]\nname = 'eth0'\naddress = '10.0.0.1/24'\n[[ethernet]]\nname = 'eth1'\naddress = 'fd00::1/64'\n")
	put("a.toml", `
name = 'x'
[[board]]
name = 'one'
file = 'b.toml'
[[board]]
name = 'two'
file = 'b.toml'
[[board]]
file = 'fixed.toml'
[[segment]]
name = 'lan'
ports = ['two.eth1', 'one.eth0', 'two.eth0', 'one.eth1', 'fixed.eth0', 'fixed.eth1']
[[gateway]]
name = 'out'
segment = 'lan'
address = ['10.0.0.4/24', 'fd00::4/64']
leases = { one = '10.0.0.2', 'two.eth0' = '10.0.0.50' }
forward = [{ host = '80', to = 'two:80' }, { host = '81', to = 'two.eth0:81' },
	{ host = '[::1]:80', to = 'two:80' }, { host = '[::1]:81', to = 'fixed.eth1:80' }, { host = '82', to = 'fixed.eth1:80' }]
`)
	a, err := Load(filepath.Join(dir, "a.toml"), &periph.Catalog{Controllers: []*periph.ControllerKind{ethernet.Kind}, Links: []*periph.LinkKind{ethernet.Segment}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range a.Gateway[0].config.Hosts {
		got = append(got, fmt.Sprint(h.Name, " ", h.MAC, " ", h.Address, " ", h.Address6, " ", h.Lease))
	}
	for _, f := range a.Gateway[0].config.Forwards {
		got = append(got, fmt.Sprint(f.Protocol, " ", f.Host, " ", f.To))
	}
	want := []string{
		"two 02:42:50:00:01:01 10.0.0.3 fd00::42:50ff:fe00:101 true",
		"one 02:42:50:00:00:00 10.0.0.2 fd00::42:50ff:fe00:0 true",
		"two 02:42:50:00:01:00 10.0.0.50 fd00::42:50ff:fe00:100 true",
		"one 02:42:50:00:00:01 10.0.0.5 fd00::42:50ff:fe00:1 true",
		"fixed 02:42:50:00:02:00 10.0.0.1 fd00::42:50ff:fe00:200 false",
		"fixed 02:42:50:00:02:01 invalid IP fd00::1 false",
		"tcp 127.0.0.1:80 10.0.0.3:80",
		"tcp 127.0.0.1:81 10.0.0.50:81",
		"tcp [::1]:80 [fd00::42:50ff:fe00:101]:80",
		"tcp [::1]:81 [fd00::1]:80",
		"tcp 127.0.0.1:82 [fd00::1]:80",
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got\n%s\nwant\n%s", g, w)
	}
}
