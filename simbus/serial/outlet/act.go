package outlet

import (
	"fmt"
	"strings"
	"time"

	"backplane/simbus/serial"
)

// Do is a kind of act.
type Do uint8

// What a program does.
const (
	Open  Do = iota // it opens the port: DTR and RTS become active
	Close           // it closes it: both become inactive, and what has not been sent is dropped
	Send            // Data
	Set             // Settings: they hold for what is sent from now on, and for what arrives
	Break           // On: after what was sent before; it lasts until another ends it, or For
	Lift            // Lines: which of the outputs are active
	Purge           // drop what was sent before and has not gone over the line
)

// Act is one thing that a program does to its end of a line.
type Act struct {
	Do       Do
	Data     []byte
	Settings Settings
	On       bool
	For      time.Duration // 0: until another ends it
	Lines    serial.Lines
}

// Text is the act without its Data, as ParseAct reads it.
func (a Act) Text() string {
	switch a.Do {
	case Open:
		return "open"
	case Close:
		return "close"
	case Send:
		return "send"
	case Set:
		return "set " + a.Settings.String()
	case Break:
		switch {
		case !a.On:
			return "break off"
		case a.For > 0:
			return "break " + a.For.String()
		}
		return "break on"
	case Lift:
		return strings.TrimSpace("lines " + a.Lines.String())
	}
	return "purge"
}

// MaxBreak is the longest break that ends by itself.
const MaxBreak = time.Minute

// ParseAct reads an act that Text has written; data are its bytes.
func ParseAct(text string, data []byte) (Act, error) {
	verb, rest, _ := strings.Cut(text, " ")
	if verb == "send" && rest == "" {
		return Act{Do: Send, Data: data}, nil
	}
	if len(data) > 0 {
		return Act{}, fmt.Errorf("%.40q takes no bytes", text)
	}
	switch {
	case text == "open":
		return Act{Do: Open}, nil
	case text == "close":
		return Act{Do: Close}, nil
	case text == "purge":
		return Act{Do: Purge}, nil
	case verb == "set":
		s, err := ParseSettings(rest)
		return Act{Do: Set, Settings: s}, err
	case verb == "break":
		return parseBreak(rest)
	case verb == "lines":
		for lines := range serial.Outputs + 1 {
			if a := (Act{Do: Lift, Lines: lines}); a.Text() == text {
				return a, nil
			}
		}
	}
	return Act{}, fmt.Errorf("a program at a serial line cannot do %.40q", text)
}

func parseBreak(text string) (Act, error) {
	if text == "on" || text == "off" {
		return Act{Do: Break, On: text == "on"}, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > MaxBreak {
		return Act{}, fmt.Errorf("a break is on, off, or lasts for up to %s: not %.20q", MaxBreak, text)
	}
	return Act{Do: Break, On: true, For: d}, nil
}
