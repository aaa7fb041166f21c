package regmap

import (
	"testing"

	"backplane/periph"

	"github.com/google/go-cmp/cmp"
)

func TestTransfer(t *testing.T) {
	no := false
	registers := []Register{
		{Name: "word", Address: 0x10, Width: 16, Reset: 0x1234},
		{Name: "byte", Address: 0x02, Reset: 0xab},
		{Name: "long", Address: 0x20, Width: 32, Reset: 0x01020304, ByteOrder: "little"},
	}
	access := func(access string) *Map {
		return &Map{Register: []Register{{Name: "r", Address: 1, Width: 16, Reset: 0xf00f, Access: access}}}
	}
	tests := []struct {
		name string
		m    *Map
		run  []string
	}{
		{"probe", &Map{Register: registers}, []string{"W"}},
		{"a register", &Map{Register: registers}, []string{"W 10 R 12 34"}},
		{"the address stays", &Map{Register: registers}, []string{"W 10", "R 12 34"}},
		{"write and read back", &Map{Register: registers}, []string{"W 10 56 78", "W 10 R 56 78"}},
		{"half a register", &Map{Register: registers}, []string{"W 10 56", "W 10 R 56 34"}},
		{"on to the next higher register", &Map{Register: registers}, []string{"W 02 R ab 12 34 04 03 02 01 ff ff"}},
		{"a read goes on", &Map{Register: registers}, []string{"W 02 R ab", "R 12", "R 34 04"}},
		{"write over several", &Map{Register: registers}, []string{"W 02 01 02 03 04", "W 02 R 01 02 03 04 03"}},
		{"write past the last", &Map{Register: registers}, []string{"W 20 0a 0b 0c 0d 0e !", "W 20 R 0a 0b 0c 0d"}},
		{"no such register", &Map{Register: registers}, []string{"W 11", "R ff ff", "W 11 00 !"}},
		{"several messages", &Map{Register: registers}, []string{"W 10 56 W 02 R ab R 56"}},
		{"map is little", &Map{Register: registers[:2], ByteOrder: "little"}, []string{"W 10 R 34 12"}},
		{"without auto-increment", &Map{Register: registers, AutoIncrement: &no}, []string{"W 10 R 12 34 12 34", "W 10 01 02 03 04", "W 10 R 03 04"}},
		{"bytes", &Map{Register: registers, Addressing: "bytes"},
			[]string{"W 10 R 12 34 ff", "W 11 R 34", "W 11 56", "W 10 R 12 56", "W 22 R 02 01", "W 12 00 !"}},
		{"bytes over the end of the addresses", &Map{Register: []Register{{Name: "first", Reset: 1}, {Name: "last", Address: 0xff, Reset: 2}}, Addressing: "bytes"},
			[]string{"W ff R 02 01 ff"}},
		{"bytes without auto-increment", &Map{Register: registers, Addressing: "bytes", AutoIncrement: &no}, []string{"W 11 R 34 34"}},
		{"16-bit addresses", &Map{AddressWidth: 16, Register: []Register{{Name: "r", Address: 0x0102, Reset: 0x77}}},
			[]string{"W 01 02 R 77", "W 01 02 55", "W 01 02 R 55", "W 01", "R ff"}},
		{"half a 16-bit address", &Map{AddressWidth: 16, Register: []Register{{Name: "r", Address: 0x0102, Reset: 0x77}}},
			[]string{"W 01 02", "W 00", "R 77"}},
		{"rw", access("rw"), []string{"W 01 00 ff", "W 01 R 00 ff"}},
		{"ro", access("ro"), []string{"W 01 00 ff", "W 01 R f0 0f"}},
		{"wo", access("wo"), []string{"W 01 00 ff", "W 01 R 00 00"}},
		{"w1c", access("w1c"), []string{"W 01 30 ff", "W 01 R c0 00"}},
		{"rc", access("rc"), []string{"W 01 30 ff", "W 01 R f0 0f", "W 01 R 00 00"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { powerOn(t, tt.m, nil).run(tt.run...) })
	}
}

// thermometer is like a TMP102: 12 bits of 1/16 °C, left-aligned.
func thermometer() *Map {
	low := -55.0
	return &Map{
		Register: []Register{
			{Name: "temperature", Address: 0, Width: 16, Access: "ro", Reset: 0x1900},
			{Name: "config", Address: 1, Reset: 0x40},
			{Name: "limit", Address: 2, Width: 16, Reset: 0x5000},
		},
		Property: []Property{
			{Name: "temperature", Unit: "°C", Register: "temperature", Bits: "15:4", Signed: true, Scale: 0.0625, Min: &low},
			{Name: "rate", Register: "config", Bits: "7:6", ReadOnly: true},
			{Name: "shutdown", Register: "config", Bits: "0", ReadOnly: true},
		},
	}
}

func TestProperty(t *testing.T) {
	b := powerOn(t, thermometer(), map[string]periph.Value{"temperature": periph.Num(-0.5)})
	b.run("W 00 R ff 80")
	b.get("temperature", -0.5)
	b.set("temperature", 21.53) // to the nearest count
	b.get("temperature", 21.5)
	b.run("W 00 R 15 80")
	b.get("rate", 1)
	if len(b.changed) > 0 {
		t.Errorf("what was set from outside was told: %q", b.changed)
	}
	b.run("W 01 c1", "W 01 c1")
	if diff := cmp.Diff([]string{"rate=3", "shutdown=1"}, b.changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestPropertyFields(t *testing.T) {
	tests := []struct {
		name    string
		p       Property
		set     float64
		want    float64
		content string
	}{
		{"whole register", Property{}, 0x1234, 0x1234, "12 34"},
		{"field", Property{Bits: "11:4"}, 0x55, 0x55, "f5 5f"},
		{"one bit", Property{Bits: "8"}, 0, 0, "fe ff"},
		{"negative", Property{Bits: "7:0", Signed: true}, -2, -2, "ff fe"},
		{"one signed bit", Property{Bits: "0", Signed: true}, -1, -1, "ff ff"},
		{"scale and offset", Property{Scale: 0.5, Offset: -100}, 20, 20, "00 f0"},
		{"negative scale", Property{Scale: -2}, -6, -6, "00 03"},
		{"too much", Property{Bits: "7:0"}, 1000, 255, "ff ff"},
		{"too little", Property{Bits: "7:0", Signed: true}, -1000, -128, "ff 80"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.p.Name, tt.p.Register = "p", "r"
			b := powerOn(t, &Map{Register: []Register{{Name: "r", Width: 16, Reset: 0xffff}}, Property: []Property{tt.p}}, nil)
			b.set("p", tt.set)
			b.get("p", tt.want)
			b.run("W 00 R " + tt.content)
		})
	}
}

func TestPropertySharesBits(t *testing.T) {
	one := 1.0
	m := &Map{
		Register: []Register{{Name: "status"}},
		Property: []Property{
			{Name: "status", Register: "status"},
			{Name: "alarm", Register: "status", Bits: "3", Default: &one},
		},
	}
	b := powerOn(t, m, nil)
	b.get("status", 8)
	b.set("alarm", 0)
	if diff := cmp.Diff([]string{"status=0"}, b.changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestReadToClearChangesProperty(t *testing.T) {
	m := &Map{
		Register: []Register{{Name: "events", Access: "rc"}},
		Property: []Property{{Name: "events", Register: "events"}},
	}
	b := powerOn(t, m, map[string]periph.Value{"events": periph.Num(3)})
	b.run("W 00 R 03")
	if diff := cmp.Diff([]string{"events=0"}, b.changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}
