package tomlfile

import "testing"

func TestA(t *testing.T) {
	for name, want := range map[string]string{
		"ina219": "an ina219", "tmp102": "a tmp102", "at24c32": "an at24c32", "lm75": "an lm75", "led": "an led",
		"button": "a button", "relay": "a relay", "expander": "an expander", "unit": "a unit", "sensor": "a sensor", "": "a ",
	} {
		if got := A(name); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
