package regmap

import (
	"math"
	"strings"
	"testing"

	"backplane/periph"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	v := func(f float64) *float64 { return &f }
	tests := []struct {
		name   string
		change func(m *Map)
		want   []string // keys, in order
	}{
		{"good", func(*Map) {}, nil},
		{"no registers", func(m *Map) { *m = Map{} }, []string{"register"}},
		{"address width", func(m *Map) { m.AddressWidth = -1 }, []string{"address_width"}},
		{"byte order", func(m *Map) { m.ByteOrder = "middle" }, []string{"byte_order"}},
		{"addressing", func(m *Map) { m.Addressing = "words" }, []string{"addressing"}},
		{"node without compatible", func(m *Map) { m.Node = "sensor" }, []string{"node"}},
		{"interrupt without a pin", func(m *Map) { m.Compatible, m.Interrupt = []string{"a,b"}, "alert" }, []string{"interrupt"}},
		{"register without a name", func(m *Map) { m.Register[1].Name = "" }, []string{"register.1.name", "property.1.register", "property.2.register"}},
		{"register twice", func(m *Map) { m.Register[2].Name = "temperature" }, []string{"register.2.name"}},
		{"register width", func(m *Map) { m.Register[1].Width = -8 }, []string{"register.1.width"}},
		{"register order", func(m *Map) { m.Register[1].ByteOrder = "BE" }, []string{"register.1.byte_order"}},
		{"register access", func(m *Map) { m.Register[1].Access = "r" }, []string{"register.1.access"}},
		{"reset too wide", func(m *Map) { m.Register[1].Reset = 256 }, []string{"register.1.reset"}},
		{"address too high", func(m *Map) { m.Register[1].Address = 256 }, []string{"register.1.address"}},
		{"negative address", func(m *Map) { m.Register[1].Address = -1 }, []string{"register.1.address"}},
		{"address twice", func(m *Map) { m.Register[1].Address = 2 }, []string{"register.2.address"}},
		{"bytes overlap", func(m *Map) { m.Addressing = "bytes" }, []string{"register.1.address"}},
		{"property name", func(m *Map) { m.Property[0].Name = "Temp" }, []string{"property.0.name"}},
		{"property name is a key", func(m *Map) { m.Property[0].Name = "address" }, []string{"property.0.name"}},
		{"property twice", func(m *Map) { m.Property[2].Name = "rate" }, []string{"property.2.name"}},
		{"property register", func(m *Map) { m.Property[0].Register = "x" }, []string{"property.0.register"}},
		{"no bits", func(m *Map) { m.Property[0].Bits = "11-4" }, []string{"property.0.bits"}},
		{"bits the wrong way round", func(m *Map) { m.Property[0].Bits = "4:15" }, []string{"property.0.bits"}},
		{"bits outside", func(m *Map) { m.Property[0].Bits = "16:4" }, []string{"property.0.bits"}},
		{"scale", func(m *Map) { m.Property[0].Scale = math.NaN() }, []string{"property.0.scale"}},
		{"scale too large", func(m *Map) { m.Property[0].Scale = 1e307 }, []string{"property.0.scale"}},
		{"min outside the field", func(m *Map) { m.Property[0].Min = v(-200) }, []string{"property.0.min"}},
		{"max outside the field", func(m *Map) { m.Property[0].Max = v(200) }, []string{"property.0.max"}},
		{"empty range", func(m *Map) { m.Property[0].Max = v(-60) }, []string{"property.0.max"}},
		{"default outside", func(m *Map) { m.Property[0].Default = v(-56) }, []string{"property.0.default"}},
		{"threshold without a limit", func(m *Map) { m.Threshold = []Threshold{{Pin: "a", Property: "rate"}} }, []string{"threshold.0"}},
		{"threshold without a pin", func(m *Map) { m.Threshold = []Threshold{{Property: "rate", Above: v(1)}} }, []string{"threshold.0.pin"}},
		{"threshold property", func(m *Map) { m.Threshold = []Threshold{{Pin: "a", Property: "x", Above: v(1)}} }, []string{"threshold.0.property"}},
		{"threshold hysteresis", func(m *Map) { m.Threshold = []Threshold{{Pin: "a", Property: "rate", Above: v(1), Hysteresis: -1}} }, []string{"threshold.0.hysteresis"}},
		{"limit register", func(m *Map) { m.Threshold = []Threshold{{Pin: "a", Property: "rate", AboveRegister: "x"}} }, []string{"threshold.0.above_register"}},
		{"limit register of another width", func(m *Map) { m.Threshold = []Threshold{{Pin: "a", Property: "rate", BelowRegister: "limit"}} }, []string{"threshold.0.below_register"}},
		{"limit twice", func(m *Map) {
			m.Threshold = []Threshold{{Pin: "a", Property: "temperature", Above: v(1), AboveRegister: "limit"}}
		}, []string{"threshold.0.above_register"}},
		{"pin is two things", func(m *Map) {
			m.Threshold = []Threshold{{Pin: "a", Property: "rate", Above: v(1)}, {Pin: "a", Property: "rate", Above: v(1), ActiveLow: true}}
		}, []string{"threshold.1.active_low"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := thermometer()
			tt.change(m)
			var got []string
			for _, p := range m.Check() {
				got = append(got, strings.Join(p.Key, "."))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("keys (-want +got):\n%s\n%v", diff, m.Check())
			}
			if _, err := Model(m); (err != nil) != (len(tt.want) > 0) {
				t.Errorf("Model: %v", err)
			}
		})
	}
}

func TestModel(t *testing.T) {
	above := 80.0
	m := thermometer()
	m.Compatible, m.Node, m.Interrupt = []string{"ti,tmp102"}, "temperature-sensor", "alert"
	m.Threshold = []Threshold{{Pin: "alert", Property: "temperature", Above: &above, ActiveLow: true, OpenDrain: true}}
	model, err := Model(m)
	if err != nil {
		t.Fatal(err)
	}
	wantNode := periph.Node{Name: "temperature-sensor", Compatible: []string{"ti,tmp102"}, Interrupt: "alert", InterruptType: 8}
	if diff := cmp.Diff(wantNode, model.Node(&periph.Options{})); diff != "" {
		t.Errorf("node (-want +got):\n%s", diff)
	}
	wantPins := []periph.PinSpec{{Name: "alert", Output: true, OpenDrain: true, Doc: "follows temperature"}}
	if diff := cmp.Diff(wantPins, model.Pins); diff != "" {
		t.Errorf("pins (-want +got):\n%s", diff)
	}
	temperature, _ := model.Property("temperature")
	if temperature.Min != -55 || temperature.Max != 127.9375 || temperature.Default.Float() != 25 || temperature.Kind != periph.Number {
		t.Errorf("temperature is %+v, want -55 to 127.9375 and 25 at power-on", temperature)
	}
	if rate, _ := model.Property("rate"); rate.Kind != periph.Whole || !rate.ReadOnly {
		t.Errorf("rate is %+v, want a whole number that is read only", rate)
	}
}

func TestModelWithoutNode(t *testing.T) {
	model, err := Model(thermometer())
	if err != nil {
		t.Fatal(err)
	}
	if model.Node != nil {
		t.Error("a part without compatible has a node")
	}
}

func TestTOML(t *testing.T) {
	const text = `
address_width = 16
auto_increment = false
compatible = ["a,b"]
[[register]]
name = "status"
address = 0x100
reset = 0x80
access = "w1c"
[[property]]
name = "level"
register = "status"
bits = "7:4"
max = 10
[[threshold]]
pin = "irq"
property = "level"
above_register = "status"
`
	var m Map
	meta, err := toml.Decode(text, &m)
	if err != nil {
		t.Fatal(err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		t.Errorf("keys that were not read: %v", unknown)
	}
	no, ten := false, 10.0
	want := Map{
		AddressWidth: 16, AutoIncrement: &no, Compatible: []string{"a,b"},
		Register:  []Register{{Name: "status", Address: 0x100, Reset: 0x80, Access: "w1c"}},
		Property:  []Property{{Name: "level", Register: "status", Bits: "7:4", Max: &ten}},
		Threshold: []Threshold{{Pin: "irq", Property: "level", AboveRegister: "status"}},
	}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("map (-want +got):\n%s", diff)
	}
	if problems := m.Check(); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
}
