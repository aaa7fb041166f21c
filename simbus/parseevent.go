package simbus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ParseEvent reads what AppendJSON has written. A byte that was not part of
// valid UTF-8 has become a character.
func ParseEvent(line []byte) (e Event, err error) {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return e, errors.New("an event is a JSON object")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return e, fmt.Errorf("event: %w", err)
		}
		value, err := d.Token()
		if err != nil {
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
func (e *Event) put(key string, value json.Token) error {
	switch v := value.(type) {
	case string:
		switch key {
		case "board":
			e.Board = v
		case "part":
			e.Part = v
		case "kind":
			e.Kind = v
		default:
			e.Attrs = append(e.Attrs, Text(key, v))
		}
		return nil
	case json.Number:
		n, err := v.Int64()
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
	return fmt.Errorf("event: %s is %v, and must be text or a number", key, value)
}
