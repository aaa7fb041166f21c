package filter_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"backplane/simbus/capture/filter"
	"backplane/simbus/costtest"
)

// Frames, the check sequence left out.
var frames = map[string]string{
	"arp":  "ffffffffffff 020000000001 0806 0001080006040001 020000000001 0a000001 000000000000 0a000002",
	"tcp":  "020000000002 020000000001 0800 45000028000040004006 0000 0a000001 0a000002 1f90 0050 00000000000000005002ffff00000000",
	"dns":  "020000000002 020000000001 8100000a 0800 45000020000040004011 0000 0a010001 0a000002 c350 0035 000c0000 00000000",
	"frag": "020000000002 020000000001 0800 45000020000000104011 0000 0a010001 0a000002 c350 0035 000c0000 00000000",
	"ns":   "3333ff000002 020000000001 86dd 6000000000083aff fe800000000000000000000000000001 ff0200000000000000000001ff000002 8700000000000000",
}

func TestFilter(t *testing.T) {
	for _, tt := range []struct{ filter, keeps string }{
		{"", "arp dns frag ns tcp"},
		{"arp", "arp"},
		{"not arp", "dns frag ns tcp"},
		{"ip", "dns frag tcp"},
		{"ip6 or arp", "arp ns"},
		{"tcp", "tcp"},
		{"udp", "dns frag"},
		{"icmp6 && multicast", "ns"},
		{"icmp", ""},
		{"host 10.0.0.1", "arp tcp"},
		{"ip host 10.0.0.1", "tcp"},
		{"dst host 10.0.0.1", ""},
		{"src host 10.0.0.1 and not arp", "tcp"},
		{"net 10.1.0.0/16", "dns frag"},
		{"src net 10.1.0.0/16 and dst net 10.0.0.0/24", "dns frag"},
		{"host fe80::1", "ns"},
		{"port 53", "dns"},
		{"tcp port 53", ""},
		{"udp dst port 53", "dns"},
		{"src port 53", ""},
		{"tcp port 80 or udp port 53", "dns tcp"},
		{"vlan", "dns"},
		{"vlan 10 and udp", "dns"},
		{"vlan 11", ""},
		{"ether src 02:00:00:00:00:01", "arp dns frag ns tcp"},
		{"ether 02:00:00:00:00:02", "dns frag tcp"},
		{"ether dst 02:00:00:00:00:01", ""},
		{"broadcast", "arp"},
		{"multicast", "arp ns"},
		{"less 42", "arp"},
		{"greater 62", "ns"},
		{"arp or tcp and host 10.0.0.9", ""}, // from left to right, as tcpdump has it
		{"arp or (tcp and host 10.0.0.9)", "arp"},
		{"!(arp||tcp)", "dns frag ns"},
	} {
		t.Run(tt.filter, func(t *testing.T) {
			f, err := filter.Parse(tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			var kept []string
			for _, name := range []string{"arp", "dns", "frag", "ns", "tcp"} {
				b := frame(t, frames[name])
				if f.Keep(b, len(b)) {
					kept = append(kept, name)
				}
			}
			if got := strings.Join(kept, " "); got != tt.keeps {
				t.Errorf("keeps %q, want %q", got, tt.keeps)
			}
		})
	}
}

func frame(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct{ filter, want string }{
		{"garbage", `at "garbage": unknown filter primitive`},
		{"tcp and", "at its end: unknown filter primitive"},
		{"(tcp", `at its end: a ")" is missing`},
		{"tcp udp", `at "udp": nothing may follow`},
		{"host sensor", `at "sensor": not an IP address`},
		{"net 10.0.0.0", "not a network"},
		{"port 99999", "not a number from 0 to 65535"},
		{"port", "at its end: port needs a value"},
		{"less", "a number is missing"},
		{"vlan 5000", "from 0 to 4095"},
		{"ether sensor", "not a hardware address"},
		{"ether", "ether needs"},
		{"src tcp", `at "tcp": unknown filter primitive`},
		{strings.Repeat("(", 5000), "at most 4096"},
	} {
		if _, err := filter.Parse(tt.filter); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: error %v, want %q", tt.filter[:min(20, len(tt.filter))], err, tt.want)
		}
	}
}

func FuzzFilter(f *testing.F) {
	f.Add("not (tcp port 80 or vlan 10) and less 100", []byte("\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x08\x00E"))
	f.Add("ether src 02:00:00:00:00:01 or net fe80::/10", frame(f, frames["ns"]))
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		costtest.Of(len(text)+len(data)).Run(t, func() {
			p, err := filter.Parse(text)
			if err != nil || p == nil {
				return
			}
			kept := p.Keep(data, len(data))
			if not, err := filter.Parse("not (" + p.String() + ")"); err == nil && not.Keep(data, len(data)) == kept {
				t.Errorf("%q and its opposite are both %t", text, kept)
			}
		})
	})
}

func BenchmarkKeep(b *testing.B) {
	f, err := filter.Parse("(tcp port 81 or udp port 53) and net 10.0.0.0/8")
	if err != nil {
		b.Fatal(err)
	}
	data := frame(b, frames["dns"])
	b.ReportAllocs()
	for b.Loop() {
		f.Keep(data, len(data))
	}
}
