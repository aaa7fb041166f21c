package simbus

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseEvent reads what AppendJSON has written.
func ParseEvent(line []byte) (e Event, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return e, errors.New("an event is a JSON object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return e, fmt.Errorf("event: %w", err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return e, fmt.Errorf("event: %w", err)
		}
		if err := e.put(key.(string), value); err != nil {
			return e, err
		}
	}
	if _, err := d.Token(); err != nil {
		return e, fmt.Errorf("event: %w", err)
	}
	return e, nil
}

// put takes a member of the object.
func (e *Event) put(key string, value json.RawMessage) error {
	switch c := value[0]; {
	case c == '"':
		v, err := text(value)
		if err != nil {
			return fmt.Errorf("event: %s: %w", key, err)
		}
		switch key {
		case "board":
			e.Board = v
		case "part":
			e.Part = v
		case "kind":
			e.Kind = v
		default:
			if name, ok := strings.CutSuffix(key, hexSuffix); ok {
				b, err := hex.DecodeString(v)
				if err != nil {
					return fmt.Errorf("event: %s: %w", key, err)
				}
				key, v = name, string(b)
			}
			e.Attrs = append(e.Attrs, Text(key, v))
		}
		return nil
	case c == '-' || '0' <= c && c <= '9':
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			return fmt.Errorf("event: %s: %w", key, err)
		}
		if key == "t" {
			e.Time = Time(n)
		} else {
			e.Attrs = append(e.Attrs, Int(key, n))
		}
		return nil
	}
	return fmt.Errorf("event: %s is %s; it must be text or a number", key, value)
}

// text reads a JSON string, in which \udc80 to \udcff stand for the bytes 0x80 to
// 0xff where they are no half of a pair.
func text(quoted []byte) (string, error) {
	var b []byte
	from := 1 // of what b does not have yet
	flush := func(to int) error {
		var s string
		err := json.Unmarshal(fmt.Appendf(nil, "\"%s\"", quoted[from:to]), &s)
		b = append(b, s...)
		return err
	}
	for i := 1; i < len(quoted)-1; {
		switch {
		case quoted[i] != '\\':
			i++
			continue
		case quoted[i+1] != 'u':
			i += 2
			continue
		}
		switch unit := escaped(quoted[i:]); {
		case 0xd800 <= unit && unit <= 0xdbff && escaped(quoted[i+6:])&0xfc00 == 0xdc00:
			i += 12
		case 0xdc80 <= unit && unit <= 0xdcff:
			if err := flush(i); err != nil {
				return "", err
			}
			b = append(b, byte(unit))
			i += 6
			from = i
		default:
			i += 6
		}
	}
	err := flush(len(quoted) - 1)
	return string(b), err
}

// escaped is the code unit of a \uXXXX, or 0 if the string does not begin with one.
func escaped(s []byte) uint16 {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return uint16(unit)
}
