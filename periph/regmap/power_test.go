package regmap

import (
	"testing"

	"backplane/periph"
	"backplane/simbus/wire"

	"github.com/google/go-cmp/cmp"
)

// TestPower checks that registers have their reset values after power was lost,
// save for what the outside has set.
func TestPower(t *testing.T) {
	limit := 30.0
	m := &Map{
		Register: []Register{{Name: "mode", Address: 1, Reset: 0x10}, {Name: "value", Address: 2, Reset: 20}},
		Property: []Property{
			{Name: "mode", Register: "mode"},
			{Name: "value", Register: "value"},
		},
		Threshold: []Threshold{{Pin: "alert", Property: "value", Above: &limit, OpenDrain: true, ActiveLow: true}},
	}
	b := powerOn(t, m, map[string]periph.Value{"value": periph.Num(25)})
	alert := b.wires["alert"]
	b.run("W 01 55 63", "W 01") // value is written too: 99
	if alert.Level() != wire.Low {
		t.Error("the alert is not active")
	}
	b.changed = nil
	b.chip.Power(false)
	if diff := cmp.Diff([]string{"mode=16", "value=25"}, b.changed); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
	b.set("value", 40)
	if alert.Level() != wire.Low {
		t.Error("a pin is high without power")
	}
	b.set("value", 28)
	b.chip.Power(true)
	if alert.Level() != wire.High {
		t.Error("the alert is active though the value is below its limit")
	}
	b.run("R ff") // the pointer is at 0, where nothing is
	b.run("W 01 R 10 1c")
}
