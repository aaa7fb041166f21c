package replay

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/record"
	"backplane/simbus"
	"backplane/simbus/costtest"

	"golang.org/x/sys/unix"
)

// recorded makes the folder of a record with these inputs; the end mark is left out if empty.
func recorded(t testing.TB, inputs, end string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{record.ManifestFile: `{"virtual": true}`, record.InputsFile: inputs, record.EndFile: end} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestBadInputs finds what is wrong with a record before anything boots.
func TestBadInputs(t *testing.T) {
	const end = `{"end_ns": 5000000000}`
	for _, tt := range []struct{ name, inputs, end, want string }{
		{"good", "{\"t\":1,\"do\":\"set\"}\n{\"t\":5000000000,\"do\":\"end\"}\n", end, ""},
		{"cut within a line", "{\"t\":1,\"do\":\"set\"}\n{\"t\":5000", "", ""},
		{"late, without an end", "{\"t\":86400000000000,\"do\":\"set\"}\n", "", ""},
		{"none", "", end, "cannot be replayed: it has no inputs.jsonl"},
		{"no inputs", "hello\n", end, "not a record of inputs: inputs.jsonl, line 1: invalid character 'h'"},
		{"an unknown kind", "{\"t\":1,\"do\":\"fly\"}\n", end, `line 1: unknown input "fly"`},
		{"a kind without its job", "{\"t\":1,\"do\":\"exec\"}\n", end, "line 1: exec without a job"},
		{"no event", "{\"t\":1,\"do\":\"event\",\"event\":[1]}\n", end, "line 1: an event is a JSON object"},
		{"a time before the start", "{\"t\":-1,\"do\":\"set\"}\n", end, "line 1: the time -0.000000001s is before the start"},
		{"a time that goes back", "{\"t\":2,\"do\":\"set\"}\n{\"t\":1,\"do\":\"set\"}\n", end, "line 2: its time 0.000000001s is before that of the previous line, 0.000000002s"},
		{"a time after the end", "{\"t\":5000000001,\"do\":\"set\"}\n", end, "line 1: its time 5.000000001s is after the session's end at 5.000000000s"},
		{"the last time that there is", "{\"t\":9223372036854775807,\"do\":\"set\"}\n", "", "line 1: its time never is after the session's end"},
		{"a time that is none", "{\"t\":9223372036854775808,\"do\":\"set\"}\n", end, "line 1: json: cannot unmarshal"},
		{"a line without an end", strings.Repeat(" ", maxInput+100_000), end, "line 1 is longer than 16777216 bytes"},
		{"a nest", strings.Repeat("[", 100_000) + "\n", end, "line 1: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var err error
			costtest.Of(len(tt.inputs)).Run(t, func() { _, err = Load(recorded(t, tt.inputs, tt.end)) })
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// FuzzInputs reads inputs to their end, which comes, and of which none is wrong.
func FuzzInputs(f *testing.F) {
	f.Add("{\"t\":1,\"do\":\"set\",\"path\":\"b.p.x\",\"value\":\"1\"}\n{\"t\":2,\"do\":\"event\",\"event\":{\"t\":2,\"kind\":\"step\"}}\n{\"t\":5,\"do\":\"end\"}\n")
	f.Add("{\"t\":1,\"do\":\"exec\",\"job\":{}}\n{\"t\":1,\"do\":\"frame\",\"data\":\"AAAA\"}\n")
	f.Fuzz(func(t *testing.T, text string) {
		costtest.Of(len(text)).Run(t, func() {
			in, last := newInputs(strings.NewReader(text), simbus.Time(time.Hour)), simbus.Time(0)
			for {
				one, err := in.next()
				if err == io.EOF || errors.Is(err, ErrRecord) {
					return
				}
				if err != nil || one.Time < last || one.Time > simbus.Time(time.Hour) || one.Check() != nil {
					t.Fatal(fmt.Sprint(one, err))
				}
				last = one.Time
			}
		})
	})
}

// TestRecordOfPipes refuses a record in which something is no file, and waits for nothing.
func TestRecordOfPipes(t *testing.T) {
	for _, name := range []string{record.EventsFile, record.InputsFile, "console/b.log"} {
		dir := recorded(t, "", `{"end_ns": 5000000000}`)
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), name+": is a pipe; it must be a file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
