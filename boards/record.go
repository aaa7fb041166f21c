package boards

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"backplane/simbus"
)

// record makes a file in the folder of what is recorded; what is written to it
// is lost if there is no such folder.
func (r *Running) record(name ...string) (io.Writer, error) {
	if r.opts.Out == "" {
		return io.Discard, nil
	}
	path := filepath.Join(append([]string{r.opts.Out}, name...)...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	r.files = append(r.files, f)
	return f, nil
}

// eventLog writes the event stream to a file, a JSON object a line.
type eventLog struct {
	f   io.WriteCloser
	buf []byte
	err error
}

// eventBuffer is how much is written at once, in bytes.
const eventBuffer = 64 << 10

// recordEvents lets events.jsonl be written.
func (r *Running) recordEvents() error {
	if r.opts.Out == "" {
		return nil
	}
	if err := os.MkdirAll(r.opts.Out, 0o755); err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(r.opts.Out, "events.jsonl"))
	if err != nil {
		return err
	}
	l := &eventLog{f: f}
	r.files = append(r.files, l)
	r.cal.Subscribe(l.event)
	return nil
}

func (l *eventLog) event(e *simbus.Event) {
	l.buf = append(e.AppendJSON(l.buf), '\n')
	if len(l.buf) >= eventBuffer {
		l.flush()
	}
}

func (l *eventLog) flush() {
	if _, err := l.f.Write(l.buf); l.err == nil {
		l.err = err
	}
	l.buf = l.buf[:0]
}

// Close writes out the rest. The error is the first that there was.
func (l *eventLog) Close() error {
	l.flush()
	if err := l.f.Close(); l.err == nil {
		l.err = err
	}
	return l.err
}

// contents is the file in which a chip keeps its contents. What it has at the
// start is recorded; with Options.Copies it stays as it is, and the chip has a copy.
func (m *Machine) contents(part, path string) (string, error) {
	from, to := path, path
	if m.r.opts.Copies {
		to = filepath.Join(m.dir, "contents-"+part)
	}
	if m.r.opts.Contents != "" {
		from = filepath.Join(m.r.opts.Contents, m.name+"."+part)
	}
	m.kept[part] = from
	data, err := os.ReadFile(from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return to, nil
	case err != nil:
		return "", err
	}
	w, err := m.r.record(ContentsDir, m.name+"."+part)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil && to != from {
		err = os.WriteFile(to, data, 0o600)
	}
	return to, err
}
