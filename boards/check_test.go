package boards_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backplane/boards"
	"backplane/boards/tomlfile"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

// write puts files into a folder and returns the path of the first.
func write(t testing.TB, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, files[0])
}

// mistakes is what Load says of a file, without the folder's path.
func mistakes(t testing.TB, file string) string {
	t.Helper()
	_, err := boards.Load(file, catalog.All)
	if err == nil {
		return ""
	}
	if _, ok := err.(tomlfile.Problems); !ok {
		t.Fatalf("an error of type %T: %v", err, err)
	}
	return strings.ReplaceAll(err.Error(), filepath.Dir(file)+"/", "")
}

// expander is a board with an expander's pin on its line l; chips on that may follow.
const expander = "name = 'x'\n[[i2c]]\nname = 'i'\nchip = [{name='e', model='pcf8574', address=0x20, pins={p4='g.l'}}]\n\n[[gpio]]\nname = 'g'\nlines = ['l']\n"

func TestBoardMistakes(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"good", "name = 'x'", ""},
		{"nothing", "", `b.toml: the board has no name: write name = "NAME"`},
		{"syntax", "name = 'x", "b.toml:1:9: unexpected EOF; expected \"'\""},
		{"unknown key", "name = 'x'\nmemroy = '1G'", `b.toml:2:1: unknown key "memroy": did you mean "memory"?`},
		{"a long name", "name = '" + strings.Repeat("x", 64) + "'", `b.toml:1:1: name "` + strings.Repeat("x", 64) + `" must be at most 63 letters, digits, - and _, a letter first`},
		{"wrong type", "name = 'x'\ncpus = '4'", "b.toml:2:1: cpus is the text \"4\"; it must be a whole number"},
		{"no hardware address", "name = 'x'\nethernet = [{ name = 'e', mac = '00:00:00:00:00:00' }]", "b.toml:2:27: mac is all zeros, which is not an address"},
		{"too many CPUs", "name = 'x'\ncpus = 257", "b.toml:2:1: cpus is 257; it must be 1 to 256: a User Mode Linux kernel has no more"},
		{"too little memory for its CPUs", "name = 'x'\nmemory = '95M'\ncpus = 64", "b.toml:2:1: memory is 95M; with 64 CPUs it must be 96M at least: the kernel needs 1M for each"},
		{"too many CPUs for the usual memory", "name = 'x'\ncpus = 33", "b.toml:2:1: memory is 64M; with 33 CPUs it must be 65M at least: the kernel needs 1M for each"},
		{"too little memory", "name = 'x'\nmemory = '8M'", "b.toml:2:1: memory is 8M; it must be 32M to 4T: the kernel and its init need that much"},
		{"no amount", "name = 'x'\nmemory = 'much'", "b.toml:2:1: memory: \"much\" is not an amount of memory: write a number and K, M, G or T, such as \"64M\""},
		{"missing file", "name = 'x'\n[firmware]\nrootfs = ['gone.tar']", "b.toml:3:11: gone.tar: no such file or directory"},
		{"duplicate name", "name = 'x'\n[[gpio]]\nname = 'a'\nlines = ['l']\n[[i2c]]\nname = 'a'", `b.toml:6:1: the name "a" is taken, in line 3: each part of a board needs its own`},
		{"name of what every board has", "name = 'x'\n[[i2c]]\nname = 'rng'\n[[gpio]]\nname = 'console'\nlines = ['l']\n[[chip]]\nname = 'agent'\nmodel = 'tmp102'\non = 'rng'\naddress = 0x48",
			"b.toml:3:1: the name \"rng\" is taken by the board's source of randomness\nb.toml:5:1: the name \"console\" is taken by the board's main console\nb.toml:8:1: the name \"agent\" is taken by the board's console of the agent in init"},
		{"duplicate line", "name = 'x'\n[[gpio]]\nname = 'a'\nlines = ['l', 'l', '']", ""},
		{"a duplicate line is used", "name = 'x'\n[[gpio]]\nname = 'a'\nlines = ['k', 'l', 'l']\nchip = [{name='b', model='led', pins={in='l'}}]", `b.toml:5:39: pin in: 2 lines of a are named "l": write the number of the line, such as a.1`},
		{"a duplicate line by its number", "name = 'x'\n[[gpio]]\nname = 'a'\nlines = ['k', 'l', 'l']\nchip = [{name='b', model='led', pins={in='2'}}]", ""},
		{"a button beside an open-drain output", expander + "chip = [{name='b', model='button', pins={out='l'}}]", ""},
		{"two buttons on one line", expander + "chip = [{name='b', model='button', pins={out='l'}}, {name='c', model='button', pins={out='l'}}]", ""},
		{"a button to the supply beside an open-drain output", expander + "chip = [{name='b', model='button', active_low=false, pins={out='l'}}]",
			"b.toml:9:60: b.out drives a line that e.p4 drives already: two outputs on one line must both be open-drain"},
		{"current by the shunt", "name = 'x'\n[[i2c]]\nname = 'i'\nchip = [{name='c', model='ina219', address=0x40, current=20, shunt_ohms=0.001}]", ""},
		{"too much for the shunt", "name = 'x'\n[[i2c]]\nname = 'i'\nchip = [{name='c', model='ina219', address=0x40, current=6, shunt_ohms=5}]", "b.toml:4:50: current is 6, outside -5.2 to 5.2 A"},
		{"unknown model", "name = 'x'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'tmp103'\naddress = 0x48", `b.toml:6:1: unknown model "tmp103": did you mean "tmp102"?`},
		{"model on the wrong bus", "name = 'x'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'led'\naddress = 0x48", "b.toml:6:1: an led hangs on gpio, not on i2c"},
		{"address reserved", "name = 'x'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'tmp102'\naddress = 0x78", "b.toml:7:1: address is 0x78, outside 0x08 to 0x77"},
		{"address it cannot have", "name = 'x'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'tmp102'\naddress = 0x50", "b.toml:7:1: address is 0x50; it must be one of 0x48 to 0x4b"},
		{"address used twice", "name = 'x'\n[[i2c]]\nname = 'i'\nchip = [{name='a', model='tmp102', address=0x48}, {name='b', model='lm75', address=0x48}]", "b.toml:4:76: address 0x48 on i is taken by a, in line 4"},
		{"no address", "name = 'x'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'ds3231'", `b.toml:4:7: part "c" has no address: it must be 0x68`},
		{"property out of range", "name = 'x'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'tmp102'\naddress = 0x48\ntemperature = 400", "b.toml:8:1: temperature is 400, outside -55 to 150 °C"},
		{"unknown property", "name = 'x'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'tmp102'\naddress = 0x48\ntemprature = 4", `b.toml:8:1: unknown key "temprature" of a tmp102: did you mean "temperature"?`},
		{"property of a wrong type", "name = 'x'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'tmp102'\naddress = 0x48\ntemperature = 'hot'", "b.toml:8:1: temperature must be a number"},
		{"unknown pin", "name = 'x'\n[[gpio]]\nname = 'g'\nlines = ['l']\n[[gpio.chip]]\nname = 'c'\nmodel = 'led'\npins = { inn = 'l' }", "b.toml:8:10: an led has no pin \"inn\": did you mean \"in\"?"},
		{"unknown line", "name = 'x'\n[[gpio]]\nname = 'g'\nlines = ['fan']\n[[gpio.chip]]\nname = 'c'\nmodel = 'led'\npins = { in = 'fun' }", `b.toml:8:10: pin in: g has no line "fun": did you mean "fan"?`},
		{"line beyond the last", "name = 'x'\n[[gpio]]\nname = 'g'\nlines = ['fan']\n[[gpio.chip]]\nname = 'c'\nmodel = 'led'\npins = { in = 'g.7' }", `b.toml:8:10: pin in: g has no line 7: its lines are 0 to 0`},
		{"two outputs", "name = 'x'\n[[gpio]]\nname = 'g'\nlines = ['l']\nchip = [{name='a', model='button', active_low=false, pins={out='l'}}, {name='b', model='button', pins={out='l'}}]",
			"b.toml:5:104: b.out drives a line that a.out drives already: two outputs on one line must both be open-drain"},
		{"bus number used twice", "name = 'x'\n[[i2c]]\nname = 'a'\nnumber = 1\n[[i2c]]\nname = 'b'\nnumber = 1", "b.toml:7:1: the number 1 is taken, in line 4"},
		{"device used twice", "name = 'x'\n[[serial]]\nname = 'a'\ndevice = '/dev/ttyS1'\n[[serial]]\nname = 'b'\ndevice = '/dev/ttyS1'", "b.toml:7:1: the device /dev/ttyS1 is taken, in line 4"},
		{"pins of a serial port", "name = 'x'\n[[gpio]]\nname = 'g'\nlines = ['de']\n[[serial]]\nname = 'a'\ndriver_enable = 'g.ed'\npins = { rst = 'g.0', dcd = 'h.0' }\nfifo = 8",
			"b.toml:7:1: g has no line \"ed\": did you mean \"de\"?\nb.toml:8:10: a serial port has no pin \"rst\": did you mean \"rts\"?\nb.toml:8:23: the board has no GPIO controller \"h\": did you mean \"g\"?\nb.toml:9:1: fifo is 8; it must be 16 to 4096"},
		{"a device that is the kernel's", "name = 'x'\n[[serial]]\nname = 'a'\ndevice = '/dev/null'", "b.toml:4:1: device is \"/dev/null\", which is the kernel's own: write another name, such as \"/dev/ttyS1\""},
		{"a number with zeros before it", "name = 'x'\n[[serial]]\nname = 'a'\ndevice = '/dev/ttyS07'", "b.toml:4:1: device is \"/dev/ttyS07\"; its driver calls it \"/dev/ttyS7\""},
		{"a rate that a clock does not have", "name = 'x'\n[[serial]]\nname = 'a'\nclock = 1000", "b.toml:4:1: clock is 1000; divided by 16 and a whole number up to 65535 it gives 1 to 62 baud, and baud is 115200"},
		{"a receiver of no transceiver", "name = 'x'\n[[serial]]\nname = 'a'\nreceiver = 'inverse'", "b.toml:4:1: receiver is \"inverse\", of a transceiver that is not there: write driver_enable = \"rts\", or a GPIO line"},
		{"a driver that RTS does not enable", "name = 'x'\n[[gpio]]\nname = 'g'\nlines = ['de', 'rts']\n[[serial]]\nname = 'a'\nrs485 = true\n[[serial]]\nname = 'b'\ndriver_enable = 'g.de'\nrts_delay = [0, 1]\n[[serial]]\nname = 'd'\nrts_delay = [0, 0]\n[[serial]]\nname = 'c'\nrs485 = true\npins = { rts = 'g.rts' }",
			"b.toml:7:1: rs485 is for RTS as the driver enable of RS-485, and RTS enables nothing here: write driver_enable = \"rts\"\nb.toml:11:1: rts_delay is for RTS as the driver enable of RS-485, and RTS enables nothing here: write driver_enable = \"rts\""},
		{"zeros", "name = 'x'\n[[serial]]\nname = 'a'\nclock = 0\ntrigger = 0\nfifo = 0\n[[can]]\nname = 'c'\ndata_bitrate = 0\n[[disk]]\nname = 'd'\ndepth = 0\nread_rate = 0\ncache = '0'\n[[i2c]]\nname = 'i'\nfrequency = 0",
			"b.toml:4:1: clock is 0; it must be 800 to 192000000, or left out\nb.toml:5:1: trigger is 0; it must be at least 1, or left out\nb.toml:6:1: fifo is 0; it must be 16 to 4096\n" +
				"b.toml:9:1: data_bitrate is 0; it must be 5000 to 8000000, or left out\nb.toml:12:1: depth is 0; it must be 1 to 256, or left out\nb.toml:13:1: read_rate is 0; it must be at least 1000, or left out"},
		{"devices of others", "name = 'x'\n[[gpio]]\nname = 'g'\nlines = ['l']\n[[serial]]\nname = 'a'\ndevice = '/dev/vda'\n[[serial]]\nname = 'b'\n[[serial]]\nname = 'c'\ndevice = '/dev/hvc2'\n[[serial]]\nname = 'e'\ndevice = '/dev/g'\n" +
			"[[serial]]\nname = 'f'\ndevice = '/dev/gpiochip7'\n[[serial]]\nname = 'h'\ndevice = '/dev/hvc1'\n[[console]]\nname = 'i'\ndevice = '/dev/ttyS0'\n[[disk]]\nname = 'd'\n[[serial]]\nname = 'j'\ndevice = '/dev/rtc0'\n[[serial]]\nname = 'k'\ndevice = '/dev/gps'",
			`b.toml:7:1: device is "/dev/vda", which is a name of a disk: write another` + "\n" +
				`b.toml:12:1: device is "/dev/hvc2", which is the board's console of the agent in init: write another name` + "\n" +
				`b.toml:15:1: device is "/dev/g", which is the GPIO controller g: write another name` + "\n" +
				`b.toml:18:1: device is "/dev/gpiochip7", which is a name of a GPIO controller: write another` + "\n" +
				`b.toml:21:1: device is "/dev/hvc1", which is the console i: write another name` + "\n" +
				`b.toml:24:1: device is "/dev/ttyS0", which is the serial port a: write another name` + "\n" +
				`b.toml:29:1: device is "/dev/rtc0", which is the kernel's own: write another name, such as "/dev/ttyS1"`},
		{"a name of a disk on a board without one", "name = 'x'\n[[serial]]\nname = 'a'\ndevice = '/dev/vda'", ""},
		{"a number that no tty has", "name = 'x'\n[[serial]]\nname = 'a'\ndevice = '/dev/ttymxc40'", "b.toml:4:1: device is \"/dev/ttymxc40\"; its number must be 0 to 31"},
		{"bad addresses", "name = 'x'\n[[ethernet]]\nname = 'eth0'\nmac = '01:00:00:00:00:01'\naddress = '10.0.0.300/24'",
			"b.toml:4:1: mac 01:00:00:00:00:01 is a group address: the first byte must be even\nb.toml:5:1: address is \"10.0.0.300/24\"; it must be an IP address with its prefix length, such as \"10.0.0.1/24\" or \"fd00::1/64\", or \"dhcp\", or \"slaac\""},
		{"bad routes", "name = 'x'\n[[ethernet]]\nname = 'eth0'\naddress = '10.0.0.1/24'\ngateway = '10.1.0.1'\ndns = ['ns']\n[[ethernet]]\nname = 'eth1'\naddress = 'dhcp'\ngateway = '10.1.0.1'",
			"b.toml:5:1: gateway 10.1.0.1 is not on the port's network: write address = \"ADDRESS/LENGTH\" to put it there\nb.toml:6:8: \"ns\" is not an IP address of a name server\nb.toml:10:1: DHCP gives the gateway with the address: leave one of them out"},
		{"several addresses", "name = 'x'\n[[ethernet]]\nname = 'eth0'\naddress = ['10.0.0.1/24', 'fd00::1/64', 'fe80::1/64']\ngateway = ['10.0.0.254', 'fe80::fe']", ""},
		{"addresses by DHCP and SLAAC", "name = 'x'\n[[ethernet]]\nname = 'eth0'\naddress = ['dhcp', 'slaac', 'fd00::1/64']\n[[ethernet]]\nname = 'eth1'\naddress = ['slaac', '10.0.0.1/24']\ngateway = '10.0.0.254'", ""},
		{"bad addresses by SLAAC", "name = 'x'\n[[ethernet]]\nname = 'eth0'\naddress = ['slaac', 'slaac']\ngateway = 'fe80::1'",
			"b.toml:4:21: the port already has the address slaac\nb.toml:5:1: with SLAAC the router that advertises itself is the gateway: leave one of them out"},
		{"bad lists of addresses", "name = 'x'\n[[ethernet]]\nname = 'eth0'\naddress = ['10.0.0.1/24', 'dhcp', 'ff02::1/64', '10.0.0.1/8']\ngateway = ['fd00::fe', 'fe80::1']\n[[ethernet]]\nname = 'eth1'\naddress = [1]",
			"b.toml:4:1: the port has an IPv4 address, 10.0.0.1, and DHCP would give it another: leave one of them out\nb.toml:4:35: address ff02::1 is not a host address\nb.toml:4:49: the port already has the address 10.0.0.1\n" +
				"b.toml:5:12: gateway fd00::fe is not on the port's network: write address = \"ADDRESS/LENGTH\" to put it there\nb.toml:5:24: there is an IPv6 gateway already: a port has at most one of each\n" +
				"b.toml:8:1: address: must be text in quotes, or a list of such texts"},
		{"two parts in one file", "name = 'x'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'at24c32'\naddress = 0x50\nfile = 'c.bin'\n[[i2c.chip]]\nname = 'd'\nmodel = 'at24c32'\naddress = 0x51\nfile = './c.bin'",
			"b.toml:13:1: x.d and x.c keep their contents in the same file, ./c.bin, which is also in b.toml:8: give each its own"},
		{"several at once, in order", "zame = 'x'\ncpus = 0\n[[serial]]\nbaud = 1",
			"b.toml: the board has no name: write name = \"NAME\"\nb.toml:1:1: unknown key \"zame\": did you mean \"name\"?\nb.toml:2:1: cpus is 0; it must be 1 to 256: a User Mode Linux kernel has no more\nb.toml:3:3: the serial port has no name: write name = \"NAME\"\nb.toml:4:1: baud is 1; it must be 50 to 12000000"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mistakes(t, write(t, "b.toml", tt.text))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestApplianceMistakes(t *testing.T) {
	const board = `
name = 'b'
[[gpio]]
name = 'g'
lines = ['a', 'b', 'c']
chip = [{name='button0', model='button', active_low=false, pins={out='c'}}]
[[serial]]
name = 'u'
[[ethernet]]
name = 'eth0'
address = '10.0.0.1/24'
`
	const two = "name = 'x'\n[[board]]\nname = 'p'\nfile = 'b.toml'\n[[board]]\nname = 'q'\nfile = 'b.toml'\n"
	tests := []struct{ name, text, want string }{
		{"good", two, ""},
		{"missing file", "name = 'x'\n[[board]]\nfile = 'gone.toml'", "a.toml:3:1: board file gone.toml: no such file or directory"},
		{"itself", "name = 'x'\n[[board]]\nfile = 'a.toml'", "a.toml:3:1: a.toml is an appliance; it must be a board"},
		{"same name twice", "name = 'x'\n[[board]]\nfile = 'b.toml'\n[[board]]\nfile = 'b.toml'", `a.toml:4:3: the name "b" is taken, in line 2`},
		{"unknown board", two + "[[segment]]\nname = 'lan'\nports = ['r.eth0']", `a.toml:10:10: there is no board "r": did you mean "p"?`},
		{"unknown port", two + "[[segment]]\nname = 'lan'\nports = ['p.eth1']", `a.toml:10:10: board p has no Ethernet port "eth1": did you mean "eth0"?`},
		{"same address", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0', 'q.eth0']", `a.toml:10:20: p.eth0 and q.eth0 on segment lan both have the address 10.0.0.1`},
		{"same MAC", two + "ethernet = [{ name = 'eth0', address = '10.0.0.2/24', mac = '02:00:00:00:00:01' }]\n[[board]]\nname = 'r'\nfile = 'b.toml'\nethernet = [{ name = 'eth0', address = 'dhcp', mac = '02:00:00:00:00:01' }]\n[[segment]]\nname = 'lan'\nports = ['p.eth0', 'q.eth0', 'r.eth0']",
			"a.toml:15:30: q.eth0 and r.eth0 on segment lan both have the mac 02:00:00:00:00:01, in a.toml:8 and a.toml:12"},
		{"cable", two + "ethernet = [{ name = 'eth0', address = '10.0.0.2/24' }]\n[[segment]]\nname = 'lan'\nports = ['p.eth0', 'q.eth0']\ncable = true", ""},
		{"bad cable", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0']\ncable = true\nsnooping = true\nport = [{ name = 'p.eth0', vlan = 7 }]",
			"a.toml:11:1: a cable has two ends; this one has 1 ports\na.toml:12:1: snooping is for a switch; this segment is a cable\na.toml:13:28: vlan is for a switch; this segment is a cable"},
		{"instances", two + "init_args = ['-q']\nethernet = [{ name = 'eth0', address = ['10.0.0.2/24', 'fd00::2/64'], gateway = '10.0.0.1' }]\n[[segment]]\nname = 'lan'\nports = ['p.eth0', 'q.eth0']", ""},
		{"bad instances", two + "rootfs = ['gone']\nethernet = [{ name = 'eth1' }, { name = 'eth0', gateway = '10.1.0.1', mac = 'x' }, { name = 'eth0' }]",
			"a.toml:8:11: gone: no such file or directory\na.toml:9:15: board q has no Ethernet port \"eth1\": did you mean \"eth0\"?\n" +
				"a.toml:9:49: gateway 10.1.0.1 is not on the port's network: write address = \"ADDRESS/LENGTH\" to put it there\na.toml:9:71: mac is \"x\"; it must be six bytes, such as \"02:00:00:00:00:01\"\na.toml:9:86: eth0 already has a table"},
		{"instances of one file of contents", "name = 'x'\n[[board]]\nname = 'p'\nfile = 'e.toml'\n[[board]]\nname = 'q'\nfile = 'e.toml'\n[[board]]\nname = 'r'\nfile = 'e.toml'\nset = { 'c.file' = 'r.bin' }",
			"a.toml:5:3: q.c and p.c keep their contents in the same file, c.bin, in e.toml:8: give each instance its own, with set = { \"c.file\" = \"q-c.bin\" }"},
		{"same address in VLANs", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0', 'q.eth0']\nport = [{ name = 'p.eth0', vlan = 7 }]", ""},
		{"nearly for ever under way", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0']\nlatency = '2562047h'\nport = [{ name = 'p.eth0', rx = { jitter = '11h' } }]",
			"a.toml:11:1: latency is 2562047h0m0s; it must be at most 10h0m0s\na.toml:12:35: jitter is 11h0m0s; it must be at most 10h0m0s"},
		{"mirror of itself", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0']\nport = [{ name = 'p.eth0', mirror = ['p.eth0'] }]", "a.toml:11:38: a port cannot mirror itself"},
		{"no part of frames", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0']\nloss = 2\nport = [{ name = 'p.eth0', tx = { corrupt = -1 } }]",
			"a.toml:11:1: loss is 2; it must be 0 to 1\na.toml:12:35: corrupt is -1; it must be 0 to 1"},
		{"port of another segment", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0']\nport = [{ name = 'q.eth0' }, { name = 'p.eth0', mirror = ['p.eth1'] }]",
			`a.toml:11:11: the segment has no port "q.eth0": did you mean "p.eth0"?` + "\n" + `a.toml:11:59: the segment has no port "p.eth1": did you mean "p.eth0"?`},
		{"port twice", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0']\nport = [{ name = 'p.eth0' }, { name = 'p.eth0' }]", "a.toml:11:32: p.eth0 already has a table"},
		{"no such VLAN", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0', 'q.eth0']\nport = [{ name = 'p.eth0', vlan = 0 }, { name = 'q.eth0', trunk = [4095] }]",
			"a.toml:11:28: vlan is 0; it must be 1 to 4094, or on a trunk 0 for none\na.toml:11:59: trunk has the VLAN 4095; VLANs are 1 to 4094"},
		{"less than nothing", two + "[[segment]]\nname = 'lan'\nports = ['p.eth0']\naddresses = -1\nport = [{ name = 'p.eth0', storm_limit = -1 }]",
			"a.toml:11:1: addresses is -1; it must be at least 0\na.toml:12:28: storm_limit is -1; it must be at least 0"},
		{"one end", two + "[[serial]]\nname = 'l'\nports = ['p.u']", `a.toml:10:1: a serial link has two ends; this one has 1: write ports = ["a.uart", "b.uart"], or one port with pty or listen`},
		{"unknown line", two + "[[wire]]\nname = 'w'\nfrom = 'p.g.d'\nto = 'q.g.a'", `a.toml:10:1: board p: g has no line "d": did you mean "a"?`},
		{"capture of nothing", two + "[[capture]]\nname = 'c'\nat = ['lna']", `a.toml:10:7: there is no segment "lna"`},
		{"capture without a place", two + "[[capture]]\nname = 'c'", `a.toml:8:3: capture c has no place: write at = ["SEGMENT"] or at = ["SEGMENT:BOARD.PORT"]`},
		{"capture with a bad filter", two + "[[capture]]\nname = 'c'\nat = ['lan']\nfilter = 'tpc'", "a.toml:10:7: there is no segment \"lan\"\na.toml:11:1: filter \"tpc\", at \"tpc\": unknown filter primitive"},
		{"wire onto an output", two + "[[wire]]\nname = 'w'\nfrom = 'p.g.a'\nto = 'q.g.c'", "a.toml:11:1: q.g.c is driven by button0.out on its own board: two outputs on one line"},
		{"two wires onto one line", two + "[[wire]]\nname = 'w'\nfrom = 'p.g.a'\nto = 'q.g.a'\n[[wire]]\nname = 'v'\nfrom = 'p.g.b'\nto = 'q.g.0'", "a.toml:15:1: q.g.0 is driven by another wire, in line 11: two outputs on one line"},
		{"no such property", two + "[board.set]\n'button0.colour' = 1", "a.toml:9:1: set: button0.colour is not a property or option of a part of b.toml: write part.property"},
		{"bad duration", two + "[[segment]]\nname = 'l'\nports = []\nlatency = 'soon'", `a.toml:11:1: latency: "soon" is not a duration: write a number and ns, us, ms, s, m or h, such as "50us"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mistakes(t, write(t, "a.toml", tt.text, "b.toml", board,
				"e.toml", "name = 'e'\n[[i2c]]\nname = 'i'\n[[i2c.chip]]\nname = 'c'\nmodel = 'at24c32'\naddress = 0x50\nfile = 'c.bin'\n"))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestGatewayMistakes(t *testing.T) {
	const (
		board = "name = 'b'\n[[ethernet]]\nname = 'eth0'\naddress = 'dhcp'\n[[ethernet]]\nname = 'eth1'\naddress = ['10.0.0.3/24', 'fd00::3/64']\n"
		start = "name = 'x'\n[[board]]\nfile = 'b.toml'\n[[segment]]\nname = 'lan'\nports = ['b.eth0', 'b.eth1']\n[[gateway]]\nname = 'out'\n"
		good  = start + "segment = 'lan'\naddress = '10.0.0.254/24'\n"
		good6 = start + "segment = 'lan'\naddress = ['10.0.0.254/24', 'fd00::fe/64']\n"
	)
	tests := []struct{ name, text, want string }{
		{"good", good, ""},
		{"all there is", good + "leases = { 'b.eth0' = '10.0.0.9' }\nallow = ['192.0.2.0/24', '192.0.2.7:443']\nhost_access = true\nresolver = ['127.0.0.1:5353']\n" +
			"forward = [{ host = '127.0.0.1:8080', to = 'b:80' }, { host = '8081', to = 'b.eth1:53', protocol = 'udp' }]\ndhcp = true\nmac = '02:00:00:00:00:fe'", ""},
		{"tap", start + "segment = 'lan'\ntap = 'tap0'", ""},
		{"no segment", start + "address = '10.0.0.254/24'", `a.toml:7:3: a gateway without a segment: write segment = "NAME"`},
		{"unknown segment", start + "segment = 'man'\naddress = '10.0.0.254/24'", `a.toml:9:1: there is no segment "man": did you mean "lan"?`},
		{"no address", start + "segment = 'lan'", `a.toml:7:3: address is ""; it must be an IP address of a host with its prefix length, such as "10.0.0.254/24" or "fd00::fe/64"`},
		{"IPv6", good6, ""},
		{"IPv6 alone", start + "segment = 'lan'\naddress = 'fd00::fe/64'\nforward = [{ host = '80', to = 'b:80' }]\nallow = ['[2001:db8::/32]:443']\nadvertise = true", ""},
		{"IPv6 without advertisements", start + "segment = 'lan'\naddress = ['10.0.0.254/24', 'fd00::fe/120']\nadvertise = false", ""},
		{"bad addresses of hosts", start + "segment = 'lan'\naddress = ['10.0.0.0/24', 'fd00::/64', 'fe80::1/64', '::1/64', 'fd00::fe/56', '10.0.0.254/24', '10.0.0.253/24']",
			"a.toml:10:12: address is \"10.0.0.0/24\"; it must be an IP address of a host with its prefix length, such as \"10.0.0.254/24\" or \"fd00::fe/64\"\n" +
				"a.toml:10:27: address is \"fd00::/64\"; it must be an IP address of a host with its prefix length, such as \"10.0.0.254/24\" or \"fd00::fe/64\"\n" +
				"a.toml:10:40: address fe80::1 is link-local, and the gateway has one by itself: write a global address, such as \"fd00::fe/64\"\n" +
				"a.toml:10:54: address is \"::1/64\"; it must be an IP address of a host with its prefix length, such as \"10.0.0.254/24\" or \"fd00::fe/64\"\n" +
				"a.toml:10:64: the network fd00::/56 must be one of 64 bits (\"fd00::fe/64\"), from which boards make their addresses; or write advertise = false\n" +
				"a.toml:10:96: the gateway already has the address 10.0.0.254: it has at most one of IPv4 and one of IPv6"},
		{"keys of the other family", start + "segment = 'lan'\naddress = 'fd00::fe/64'\ndhcp = true\n", "a.toml:11:1: dhcp is for IPv4, but the gateway has no such address"},
		{"advertisements without IPv6", good + "advertise = true\n", "a.toml:11:1: advertise is for IPv6, but the gateway has no such address"},
		{"taken address of IPv6", start + "segment = 'lan'\naddress = 'fd00::3/64'", "a.toml:10:1: b.eth1 has the address fd00::3"},
		{"forward to the other family", start + "segment = 'lan'\naddress = '10.9.0.254/24'\nforward = [{ host = '80', to = 'b.eth1:80' }]", "a.toml:11:27: b.eth1 has no address on the gateway's network"},
		{"mac of letters", good + "mac = 'here'", `a.toml:11:1: mac is "here"; it must be six bytes, the first of them even and not all zero, such as "02:00:00:00:00:fe"`},
		{"mac of eight bytes", good + "mac = '02:00:00:00:00:00:00:fe'", `a.toml:11:1: mac is "02:00:00:00:00:00:00:fe"; it must be six bytes, the first of them even and not all zero, such as "02:00:00:00:00:fe"`},
		{"mac of zeros", good + "mac = '00:00:00:00:00:00'", `a.toml:11:1: mac is "00:00:00:00:00:00"; it must be six bytes, the first of them even and not all zero, such as "02:00:00:00:00:fe"`},
		{"mac of a group", good + "mac = '03:00:00:00:00:fe'", `a.toml:11:1: mac is "03:00:00:00:00:fe"; it must be six bytes, the first of them even and not all zero, such as "02:00:00:00:00:fe"`},
		{"taken mac", good + "mac = '02:42:50:00:00:01'", "a.toml:11:1: b.eth1 has the mac 02:42:50:00:00:01, in b.toml:5"},
		{"two gateways", good6 + "[[gateway]]\nname = 'two'\nsegment = 'lan'\naddress = ['10.0.0.253/24', 'fd00::fd/64']", ""},
		{"two gateways in one", good6 + "mac = '02:00:00:00:00:fe'\n[[gateway]]\nname = 'two'\nsegment = 'lan'\naddress = ['10.0.0.254/24', 'fd00::fe/64']\nmac = '02:00:00:00:00:fe'",
			"a.toml:15:1: the gateway out has the address 10.0.0.254\na.toml:15:1: the gateway out has the address fd00::fe\na.toml:16:1: the gateway out has the mac 02:00:00:00:00:fe"},
		{"taken name", start[:len(start)-6] + "'lan'\nsegment = 'lan'\naddress = '10.0.0.254/24'", `a.toml:8:1: the name "lan" is taken, in line 4`},
		{"taken address", start + "segment = 'lan'\naddress = '10.0.0.3/24'", "a.toml:10:1: b.eth1 has the address 10.0.0.3"},
		{"no room", start + "segment = 'lan'\naddress = '10.0.0.2/30'\nleases = { 'b.eth0' = '10.0.0.4' }", "a.toml:11:12: \"10.0.0.4\" is not an address on 10.0.0.0/30"},
		{"lease for nobody", good + "leases = { c = '10.0.0.4' }", `a.toml:11:12: segment lan has no port of "c": write board or board.port`},
		{"bad forward", good + "forward = [{ host = 'here:80', to = 'b:80' }, { host = '80', to = 'b' }, { host = '81', to = 'c:80' }]",
			"a.toml:11:14: host is \"here:80\"; it must be an address and a port, such as \"127.0.0.1:8080\"\na.toml:11:62: to is \"b\"; it must be board:port, such as \"controller:80\"\na.toml:11:89: segment lan has no port of a board \"c\""},
		{"forward twice", good + "forward = [{ host = '80', to = 'b:80' }, { host = '127.0.0.1:80', to = 'b:81' }]", "a.toml:11:44: 127.0.0.1:80/tcp is taken, in line 11"},
		{"bad rule", good + "allow = ['example.com', '10.0.0.1:0']", "a.toml:11:10: \"example.com\" is not an IP address or network, such as \"10.1.2.3:443\", \"10.1.0.0/16\" or \"[2001:db8::1]:443\"\na.toml:11:25: \"10.0.0.1:0\" has no port from 1 to 65535 after the colon"},
		{"tap and more", start + "segment = 'lan'\ntap = 'tap0'\nhost_access = true", "a.toml:11:1: host_access is for Backplane's own gateway: with a tap or bridge, the host does this"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := mistakes(t, write(t, "a.toml", tt.text, "b.toml", board))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestSchemasAreCurrent compares the schemas in the tree with the types that
// they are made of.
func TestSchemasAreCurrent(t *testing.T) {
	for name, v := range map[string]any{"board": &boards.Board{}, "appliance": &boards.Appliance{}} {
		want, err := boards.Schema(v, "Backplane "+name, catalog.All)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("schema", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("boards/schema/%s.json is not current: 'make schemas' (-want +got):\n%s", name, diff)
		}
	}
}
