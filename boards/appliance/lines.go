package appliance

import (
	"bytes"
	"unicode/utf8"
)

// maxLine is where a line is cut that does not end, in bytes.
const maxLine = 4096

// lineCutter is an [io.Writer] that calls Line for each whole line, without its end
// (LF, or CR LF as a terminal has it).
type lineCutter struct {
	Line func(line string)

	pending []byte
	cut     bool // the pending line is the rest of one that was cut
}

// Write takes output in pieces of any size. It does not fail.
func (l *lineCutter) Write(p []byte) (int, error) {
	written := len(p)
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			l.add(p)
			break
		}
		l.add(p[:end])
		l.end()
		p = p[end+1:]
	}
	return written, nil
}

// Pending is the beginning of a line whose end has not come, such as a prompt.
func (l *lineCutter) Pending() string { return string(l.pending) }

// Flush ends the pending line, if there is one. It is for when nothing more comes.
func (l *lineCutter) Flush() {
	if len(l.pending) > 0 {
		l.end()
	}
}

// add puts text without a line feed to the pending line.
func (l *lineCutter) add(p []byte) {
	for len(l.pending)+len(p) > maxLine {
		room := maxLine - len(l.pending)
		l.pending = append(l.pending, p[:room]...)
		p = p[room:]
		whole := wholeRunes(l.pending)
		rest := string(l.pending[whole:])
		l.Line(string(l.pending[:whole]))
		l.pending = append(l.pending[:0], rest...)
		l.cut = true
	}
	l.pending = append(l.pending, p...)
}

// end hands the pending line on.
func (l *lineCutter) end() {
	line := bytes.TrimRight(l.pending, "\r")
	if len(line) > 0 || !l.cut { // nothing but the line's end came after the cut
		l.Line(string(line))
	}
	l.pending = l.pending[:0]
	l.cut = false
}

// wholeRunes is how much of b does not end within a UTF-8 sequence.
func wholeRunes(b []byte) int {
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if !utf8.RuneStart(b[i]) {
			continue
		}
		if !utf8.FullRune(b[i:]) {
			return i
		}
		break
	}
	return len(b)
}
