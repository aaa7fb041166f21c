package scenarios

import (
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/periph/i2c"
	"backplane/simbus"

	"github.com/google/go-cmp/cmp"
)

// TestFailureIsShort: a failure shows its consoles before the events, those of the boards
// that the step names, and of long transfers what they begin with. The report file has
// all that the consoles said.
func TestFailureIsShort(t *testing.T) {
	_, r := play(t, `
[[step]]
expect = { property = "b.temp0.temperature", equals = 5, within = "1s" }
`, func(f *fake) {
		f.after(100*time.Millisecond, "console", appliance.KindConsole, line("eeprom: reading"))
		f.d.At(simbus.Time(200*time.Millisecond), func() {
			f.d.Emit(simbus.Event{Board: "other", Part: "console", Kind: appliance.KindConsole, Attrs: []simbus.Attr{line("not about this")}})
		})
		f.after(300*time.Millisecond, "i2c0", i2c.KindTransaction, simbus.Text("messages", "W 00 00 R"+strings.Repeat(" ff", 4000)+" and 9 bytes more"))
	})
	failure := r.Steps[1].Failure
	if failure == nil {
		t.Fatal("the step passed")
	}
	text := failure.Error()
	_, text, _ = strings.Cut(text, "\n  b.temp0")
	_, text, _ = strings.Cut(text, "\n")
	want := `the consoles' last lines:
  0.100000000s b.console eeprom: reading
the last events:
  0.000000000s step step="0 the boards come up" result=passed
  0.300000000s b.i2c0 i2c messages="W 00 00 R ff ff ff ff ff ff ff ff [3992 bytes more] and 9 bytes more"`
	if diff := cmp.Diff(want, text[:min(len(text), len(want))]); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, failure)
	}
	if len(failure.Console) != 2 {
		t.Errorf("the report has %q of the consoles", failure.Console)
	}
}

func TestBrief(t *testing.T) {
	long := strings.Repeat("a", shownFirst) + "bb" + strings.Repeat("c", shownLast)
	if got, want := brief(long), strings.Repeat("a", shownFirst)+" [... 2 bytes ...] "+strings.Repeat("c", shownLast); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if short := long[2:]; brief(short) != short {
		t.Errorf("%q was shortened to %q", short, brief(short))
	}
	if got := briefBytes("W 00 01 R 00 01 02 03 04 05 06 07 08"); strings.Contains(got, "more") {
		t.Errorf("a single byte is left out: %q", got)
	}
}
