package tests

import (
	"strings"
	"testing"
	"time"

	"backplane/periph"
	"backplane/tests/guesttest"
)

// TestSetEvents checks that a property's event comes after its part took the
// value, in the form that parts give it, and not if they refuse it.
func TestSetEvents(t *testing.T) {
	app := guesttest.Run(t, map[string]string{"main.toml": `
name = "b"
[[gpio]]
name = "gpio0"
lines = ["key", "alert", "alert"]
  [[gpio.chip]]
  name = "button0"
  model = "button"
  pins = { out = "key" }
[[i2c]]
name = "i2c1"
  [[i2c.chip]]
  name = "temp0"
  model = "lm75"
  address = 0x48
  pins = { os = "gpio0.1" }
`}, guesttest.Options{})
	from := len(app.Events())
	app.MustSet("b.button0.pressed", "true")
	app.MustSet("b.temp0.temperature", "1e2")
	if err := app.Set("b.button0.press", "for ever"); err == nil {
		t.Error("a press without an end is not refused")
	}
	if _, _, err := app.Get("b.gpio0.alert"); err == nil || !strings.Contains(err.Error(), "2 lines of gpio0") {
		t.Errorf("a name that stands twice: %v", err)
	}
	if got := app.MustGet("b.gpio0.1"); got != "0" {
		t.Errorf("line 1 is %s, want the alert's 0", got)
	}
	var got []string
	for _, e := range app.Events()[from:] {
		name, _ := e.Get("name")
		line, _ := e.Get("line")
		value, _ := e.Get("value")
		level, _ := e.Get("level")
		got = append(got, e.Part+"."+name+line+"="+value+level)
	}
	want := "gpio0.key=0 button0.pressed=on gpio0.alert=0 temp0.temperature=100"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("events: %s\nwant:   %s", s, want)
	}
}

// TestSetAgainstWire drives a line from outside that a wire from another board
// drives: that is a conflict, in which low wins.
func TestSetAgainstWire(t *testing.T) {
	app := guesttest.Run(t, wirePair(guesttest.Rootfs(t, "gpioset"), "1us"), guesttest.Options{})
	conflicts := func() (n int) {
		for _, e := range app.Events() {
			text, _ := e.Get("error")
			if e.Kind == periph.KindDevice && e.Board == "b" && strings.Contains(text, "wire clock") && strings.Contains(text, "outside") {
				n++
			}
		}
		return n
	}
	for i, value := range []string{"1", "1"} { // also when they have fought before
		app.MustSet("b.gpio0.in", value)
		if got := app.MustGet("b.gpio0.in"); got != "0" || conflicts() != i+1 {
			t.Errorf("set to %s against a wire that is low: level %s, %d conflicts told", value, got, conflicts())
		}
		app.MustSet("b.gpio0.in", "float")
	}
	app.StartCommand("a", "gpioset", "--mode=signal", "gpiochip0", "0=1")
	app.Sleep(time.Second)
	if got := app.MustGet("b.gpio0.in"); got != "1" {
		t.Fatalf("the wire's end is %s", got)
	}
	app.MustSet("b.gpio0.in", "0")
	if got := app.MustGet("b.gpio0.in"); got != "0" || conflicts() != 3 {
		t.Errorf("set to 0 against a wire that is high: level %s, %d conflicts told", got, conflicts())
	}
}
