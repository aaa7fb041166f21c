package outlet

import (
	"fmt"
	"strconv"
	"strings"

	"backplane/simbus/serial"
)

// Flow is what lets the other end hold what this one sends.
type Flow uint8

// The kinds of flow control.
const (
	NoFlow   Flow = iota
	Hardware      // by CTS
	Software      // by XON and XOFF
)

var flowWords = []string{"none", "rtscts", "xonxoff"}

// String is the word for it.
func (f Flow) String() string { return flowWords[f] }

// Settings are what an end of a line is set to. The rate is a whole number of bits a second.
type Settings struct {
	serial.Format
	Flow Flow
}

// String is the settings as ParseSettings reads them: "115200 8N1 none".
func (s Settings) String() string { return fmt.Sprintf("%s %s", s.Format, s.Flow) }

// ParseSettings reads settings.
func ParseSettings(text string) (s Settings, err error) {
	words := strings.Split(text, " ")
	if len(words) != 3 {
		return s, fmt.Errorf("%.40q are no settings: write rate, format and flow control, such as 115200 8N1 none", text)
	}
	if s.Format, err = ParseFrame(words[1]); err != nil {
		return s, err
	}
	rate, err := strconv.Atoi(words[0])
	if err != nil || rate < 1 || rate > serial.MaxBaud {
		return s, fmt.Errorf("the rate is %.20q; it must be 1 to %d", words[0], serial.MaxBaud)
	}
	s.Rate = serial.Baud(rate)
	for i, word := range flowWords {
		if word == words[2] {
			s.Flow = Flow(i)
			return s, nil
		}
	}
	return s, fmt.Errorf("the flow control is %.20q; it must be one of %s", words[2], strings.Join(flowWords, ", "))
}

// frames are all formats, but for their rates, by what they are called.
var frames = func() map[string]serial.Format {
	all := make(map[string]serial.Format)
	for data := 5; data <= 8; data++ {
		for parity := serial.None; parity <= serial.Space; parity++ {
			for stop := serial.Stop1; stop <= serial.Stop2; stop++ {
				f := serial.Format{Data: data, Parity: parity, Stop: stop}
				all[f.Frame()] = f
			}
		}
	}
	return all
}()

// ParseFrame reads a format without its rate: "8N1".
func ParseFrame(text string) (serial.Format, error) {
	if f, ok := frames[text]; ok {
		return f, nil
	}
	return serial.Format{}, fmt.Errorf("%.20q is not a format of characters: write data bits (5 to 8), parity (N, E, O, M or S) and stop bits (1, 1.5 or 2), such as 8N1", text)
}
