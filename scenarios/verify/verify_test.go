package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backplane/boards/appliance"
	"backplane/boards/record"
	"backplane/simbus"
	"backplane/simbus/costtest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// recorded writes a record's streams.
func recorded(t *testing.T, streams map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, streams)
	return dir
}

func write(t *testing.T, dir string, streams map[string]string) {
	t.Helper()
	for name, text := range streams {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// capture is a pcapng file with a packet a millisecond, from the port sensor.eth0.
func capture(t *testing.T, packets ...string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriterInterface(&b, pcapgo.NgInterface{LinkType: layers.LinkTypeEthernet, TimestampResolution: 9}, pcapgo.NgWriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range packets {
		ci := gopacket.CaptureInfo{Timestamp: start.Add(time.Duration(i+1) * time.Millisecond), CaptureLength: len(p), Length: len(p)}
		if err := w.WritePacketWithOptions(ci, []byte(p), pcapgo.NgPacketOptions{Comments: []string{"from sensor.eth0"}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// event is a line of the stream of events, at a time in milliseconds.
func event(ms int, board, line string) string {
	e := simbus.Event{Time: simbus.Time(ms) * 1e6, Board: board, Part: "console", Kind: appliance.KindConsole, Attrs: []simbus.Attr{simbus.Text("line", line)}}
	return string(e.AppendJSON(nil)) + "\n"
}

func TestCompare(t *testing.T) {
	var seven string
	for i := range 7 {
		seven += event(i, "a", fmt.Sprint(i))
	}
	long := strings.Repeat("x", 3000)
	tests := []struct {
		name          string
		first, second map[string]string
		want          *Difference
	}{
		{"the same", map[string]string{record.EventsFile: seven}, map[string]string{record.EventsFile: seven}, nil},
		{"the host's own side", map[string]string{"uml/a.log": "x"}, map[string]string{"uml/a.log": "y"}, nil},
		{"an event", map[string]string{record.EventsFile: seven + event(8, "b", "1") + event(9, "b", "-")}, map[string]string{record.EventsFile: seven + event(8, "b", "2") + event(9, "b", "-")},
			&Difference{Stream: record.EventsFile, Where: "event 8", Time: 8e6, Board: "b", Common: strings.Split(strings.TrimSpace(seven), "\n")[2:],
				First:  []string{strings.TrimSpace(event(8, "b", "1")), strings.TrimSpace(event(9, "b", "-"))},
				Second: []string{strings.TrimSpace(event(8, "b", "2")), strings.TrimSpace(event(9, "b", "-"))}}},
		{"an event only one has, of the earlier", map[string]string{record.EventsFile: event(1, "a", "x") + event(5, "b", "y")}, map[string]string{record.EventsFile: event(1, "a", "x") + event(4, "c", "z") + event(5, "b", "y")},
			&Difference{Stream: record.EventsFile, Where: "event 2", Time: 4e6, Board: "c", Common: []string{strings.TrimSpace(event(1, "a", "x"))},
				First:  []string{strings.TrimSpace(event(5, "b", "y"))},
				Second: []string{strings.TrimSpace(event(4, "c", "z")), strings.TrimSpace(event(5, "b", "y"))}}},
		{"one ends", map[string]string{record.EventsFile: event(1, "a", "x")}, map[string]string{record.EventsFile: event(1, "a", "x") + event(2, "a", "y")},
			&Difference{Stream: record.EventsFile, Where: "event 2", Time: 2e6, Board: "a", Common: []string{strings.TrimSpace(event(1, "a", "x"))},
				Second: []string{strings.TrimSpace(event(2, "a", "y"))}}},
		{"a console", map[string]string{"console/b.uart1.log": "one\ntwo\x01\n"}, map[string]string{"console/b.uart1.log": "one\nthree\n"},
			&Difference{Stream: "console/b.uart1.log", Where: "line 2", Time: simbus.Never, Board: "b", Common: []string{"one"},
				First: []string{`"two\x01"`}, Second: []string{"three"}}},
		{"a file that is missing", map[string]string{"dtb/b.dtb": "x"}, map[string]string{},
			&Difference{Stream: "dtb/b.dtb", Where: "file", Time: simbus.Never, First: []string{"it is there"}}},
		{"a packet's bytes", map[string]string{"lan.pcapng": capture(t, "same", long+"one"+long)}, map[string]string{"lan.pcapng": capture(t, "same", long+"two"+long)},
			&Difference{Stream: "lan.pcapng", Where: "packet 2", Time: 2e6, Board: "sensor",
				Common: []string{"0.001000000s 4 bytes from sensor.eth0: bytes 0 to 4: 73 61 6d 65"},
				First:  []string{"0.002000000s 6003 bytes from sensor.eth0: bytes 2992 to 3024: 78 78 78 78 78 78 78 78 6f 6e 65" + strings.Repeat(" 78", 21)},
				Second: []string{"0.002000000s 6003 bytes from sensor.eth0: bytes 2992 to 3024: 78 78 78 78 78 78 78 78 74 77 6f" + strings.Repeat(" 78", 21)}}},
		{"the first in time of several", map[string]string{record.EventsFile: event(3, "a", "x"), "lan.pcapng": capture(t, "1"), "console/a.log": "x\n"},
			map[string]string{record.EventsFile: event(3, "a", "y"), "lan.pcapng": capture(t, "2"), "console/a.log": "y\n"},
			&Difference{Stream: "lan.pcapng", Where: "packet 1", Time: 1e6, Board: "sensor",
				First:  []string{"0.001000000s 1 bytes from sensor.eth0: bytes 0 to 1: 31"},
				Second: []string{"0.001000000s 1 bytes from sensor.eth0: bytes 0 to 1: 32"},
				Also:   []string{record.EventsFile, "console/a.log"}}},
		{"a capture's heading", map[string]string{"lan.pcapng": "not a capture"}, map[string]string{"lan.pcapng": capture(t)},
			nil}, // an error: see below
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := (Comparison{Start: start}).Compare(recorded(t, tt.first), recorded(t, tt.second))
			if tt.name == "a capture's heading" {
				if err == nil || !strings.Contains(err.Error(), "lan.pcapng") {
					t.Errorf("error %v, and must name the file", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestLongLines(t *testing.T) {
	long := strings.Repeat("a", 100_000)
	d, err := Comparison{}.Compare(recorded(t, map[string]string{"console/b.log": long + "1" + long}), recorded(t, map[string]string{"console/b.log": long + "2" + long}))
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	if len(d.First[0]) > 2*widest || !strings.Contains(d.First[0], "a1a") || !strings.Contains(d.Second[0], "a2a") {
		t.Errorf("the excerpts are %q and %q", d.First[0], d.Second[0])
	}
}

func TestInterrupted(t *testing.T) {
	first := event(1, "a", "x") + event(2, "a", "y")
	tests := []struct {
		name          string
		first, second string
		same          bool
	}{
		{"later ones do not count", first + event(5, "a", "z"), first + event(5, "a", "-"), true},
		{"the record ends early", first[:len(first)-5], first + event(3, "a", "z"), true},
		{"the replay lacks one", first, event(1, "a", "x"), false},
		{"one differs", first, event(1, "a", "x") + event(2, "a", "-"), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := Comparison{Until: 4e6}.Compare(recorded(t, map[string]string{record.EventsFile: tt.first}), recorded(t, map[string]string{record.EventsFile: tt.second, "console/a.log": "x"}))
			if err != nil || (d == nil) != tt.same {
				t.Errorf("%v, difference %+v", err, d)
			}
		})
	}
}

func TestRuns(t *testing.T) {
	play := func(t *testing.T, odd int) func(context.Context, int, string) error {
		return func(_ context.Context, run int, dir string) error {
			text := event(1, "a", "x")
			if run == odd {
				text = event(1, "a", "y")
			}
			write(t, dir, map[string]string{record.EventsFile: text,
				record.EndFile: fmt.Sprintf(`{"files":[{"name":"events.jsonl","bytes":%d}]}`, len(text))})
			return nil
		}
	}
	t.Run("all the same", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "out")
		write(t, filepath.Join(dir, "run-9"), map[string]string{record.EventsFile: "of an earlier time"})
		r, err := (&Runs{N: 4, Start: start, Dir: dir, Play: play(t, 0)}).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Runs != 4 || r.Difference != nil || len(r.Digest) != 32 {
			t.Errorf("%+v", r)
		}
		if left, _ := filepath.Glob(dir + "/*"); len(left) != 1 || len(r.Kept) != 1 || left[0] != r.Kept[0] {
			t.Errorf("kept %q, there is %q", r.Kept, left)
		}
	})
	t.Run("the third differs", func(t *testing.T) {
		dir := t.TempDir()
		r, err := (&Runs{N: 9, Start: start, Dir: dir, Play: play(t, 3)}).Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if r.Runs != 3 || r.Difference == nil || len(r.Kept) != 2 || !strings.HasSuffix(r.Kept[1], "run-3") {
			t.Errorf("%+v", r)
		}
		text := r.Difference.Text("run 1", "run 3")
		for _, want := range []string{"first difference: event 1 of events.jsonl, at 0.001000000s, on board a", "both have:\n  (nothing before it)", "run 3 goes on:\n  {"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in\n%s", want, text)
			}
		}
	})
	t.Run("one has no whole record", func(t *testing.T) {
		dir, full := t.TempDir(), play(t, 0)
		_, err := (&Runs{N: 3, Start: start, Dir: dir, Play: func(ctx context.Context, run int, dir string) error {
			if err := full(ctx, run, dir); err != nil || run == 1 {
				return err
			}
			return os.Truncate(filepath.Join(dir, record.EventsFile), 9)
		}}).Run(t.Context())
		var cut *record.CutError
		if !errors.As(err, &cut) || !strings.Contains(err.Error(), "run 2 of 3") || !strings.Contains(err.Error(), "events.jsonl has 9 of its") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("one fails", func(t *testing.T) {
		broken := errors.New("broken")
		_, err := (&Runs{N: 3, Play: func(context.Context, int, string) error { return broken }}).Run(t.Context())
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "run 1 of 3") {
			t.Errorf("error %v", err)
		}
	})
}

// TestCompareShort compares records of which the first may be cut.
func TestCompareShort(t *testing.T) {
	one, two := event(1, "a", "x"), event(2, "a", "y")
	packets := capture(t, "1", "2", "3")
	second := map[string]string{record.EventsFile: one + two, "console/a.log": "x\ny\n", "lan.pcapng": packets}
	tests := []struct {
		name   string
		stream string
		first  string
		where  string // of the difference
	}{
		{"half an event", record.EventsFile, one + two[:20], ""},
		{"no event", record.EventsFile, "", ""},
		{"half a line", "console/a.log", "x\ny", ""},
		{"half a packet", "lan.pcapng", packets[:len(packets)-9], ""},
		{"another event before the cut", record.EventsFile, event(1, "a", "z") + two[:20], "event 1"},
		{"another line", "console/a.log", "x\nz\n", "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first := maps.Clone(second)
			first[tt.stream] = tt.first
			d, err := Comparison{Start: start, Short: func(s string) bool { return s == tt.stream }}.Compare(recorded(t, first), recorded(t, second))
			if err != nil || (d == nil) != (tt.where == "") || d != nil && d.Where != tt.where {
				t.Errorf("difference %+v, %v", d, err)
			}
			if d, err := (Comparison{Start: start}).Compare(recorded(t, first), recorded(t, second)); err != nil || d == nil {
				t.Errorf("when the first is to be whole there is no difference, %v", err)
			}
		})
	}
}

func FuzzCompare(f *testing.F) {
	f.Add([]byte(event(1, "a", "x")), []byte("{\"t\":"))
	f.Add([]byte("\n\n"), []byte("\r"))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, name := range []string{record.EventsFile, "lan.pcapng", "console/x.log"} {
			costtest.Of(len(a)+len(b)).Run(t, func() {
				d, err := (Comparison{Start: start}).Compare(recorded(t, map[string]string{name: string(a)}), recorded(t, map[string]string{name: string(b)}))
				if err == nil && bytes.Equal(a, b) != (d == nil) {
					t.Errorf("%s: difference %v of %q and %q", name, d, a, b)
				}
			})
		}
	})
}

// TestOthersFiles has files beside a record that are no part of it, such as notes, or the record of
// another run in a folder of its own: they make no difference, and those that its mark names do.
func TestOthersFiles(t *testing.T) {
	mark := `{"files": [{"name": "events.jsonl"}, {"name": "console/b.log"}, {"name": "../out"}]}`
	whole := map[string]string{record.EventsFile: event(1, "b", "x"), "console/b.log": "x\n", record.EndFile: mark}
	with := func(name, text string) string {
		files := maps.Clone(whole)
		files[name] = text
		return recorded(t, files)
	}
	plain := recorded(t, whole)
	if d, err := (Comparison{}).Compare(with("notes.txt", "mine"), plain); d != nil || err != nil {
		t.Errorf("notes in the first: %+v, %v", d, err)
	}
	if d, err := (Comparison{}).Compare(plain, with("run-1/events.jsonl", "")); d != nil || err != nil {
		t.Errorf("a record in the second: %+v, %v", d, err)
	}
	if d, err := (Comparison{}).Compare(with("console/b.log", "y\n"), plain); d == nil || err != nil || d.Stream != "console/b.log" {
		t.Errorf("another console: %+v, %v", d, err)
	}
	noted, err := Digest(with("notes.txt", "mine"))
	if want, e := Digest(plain); err != nil || e != nil || noted != want {
		t.Errorf("digest %s (%v), without notes %s (%v)", noted, err, want, e)
	}
}
