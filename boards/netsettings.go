package boards

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"backplane/periph"
	"backplane/simbus/ether"
)

// Setting is one field of an impairment, as text.
type Setting struct {
	Name string
	Kind periph.Kind // of its value, as text of which get and set tell
	Get  func(ether.Impairment) string
	Set  func(*ether.Impairment, string) error
}

// settings are all fields.
var settings = []Setting{
	lengthOfTime("latency", func(i *ether.Impairment) *time.Duration { return &i.Latency }),
	lengthOfTime("jitter", func(i *ether.Impairment) *time.Duration { return &i.Jitter }),
	{"bandwidth", periph.Text, func(i ether.Impairment) string { return Rate(i.Bandwidth).String() }, setBandwidth},
	size("burst", func(i *ether.Impairment) *int64 { return &i.Burst }),
	size("queue", func(i *ether.Impairment) *int64 { return &i.Queue }),
	fraction("loss", func(i *ether.Impairment) *float64 { return &i.Loss }),
	fraction("duplicate", func(i *ether.Impairment) *float64 { return &i.Duplicate }),
	fraction("reorder", func(i *ether.Impairment) *float64 { return &i.Reorder }),
	fraction("corrupt", func(i *ether.Impairment) *float64 { return &i.Corrupt }),
}

// SettingNames are their names.
func SettingNames() (names []string) {
	for i := range settings {
		names = append(names, settings[i].Name)
	}
	return names
}

func FindSetting(name string) *Setting {
	for i := range settings {
		if settings[i].Name == name {
			return &settings[i]
		}
	}
	return nil
}

func lengthOfTime(name string, field func(*ether.Impairment) *time.Duration) Setting {
	return Setting{name, periph.Text, func(i ether.Impairment) string { return field(&i).String() },
		func(i *ether.Impairment, text string) error {
			var d Duration
			if err := d.UnmarshalText([]byte(text)); err != nil {
				return err
			}
			if d > maxLatency {
				return fmt.Errorf("it is %s, and must be at most %s", time.Duration(d), time.Duration(maxLatency))
			}
			*field(i) = time.Duration(d)
			return nil
		}}
}

func size(name string, field func(*ether.Impairment) *int64) Setting {
	return Setting{name, periph.Text, func(i ether.Impairment) string { return Size(*field(&i)).String() },
		func(i *ether.Impairment, text string) error { return (*Size)(field(i)).UnmarshalText([]byte(text)) }}
}

func fraction(name string, field func(*ether.Impairment) *float64) Setting {
	return Setting{name, periph.Number, func(i ether.Impairment) string { return strconv.FormatFloat(*field(&i), 'g', -1, 64) },
		func(i *ether.Impairment, text string) error {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || !(v >= 0 && v <= 1) {
				return fmt.Errorf("%q is no part of the frames: write 0 to 1", text)
			}
			*field(i) = v
			return nil
		}}
}

// setBandwidth takes, beside what a file may say, 0 and "unlimited".
func setBandwidth(i *ether.Impairment, text string) error {
	if text == "0" || text == "unlimited" {
		i.Bandwidth = 0
		return nil
	}
	return (*Rate)(&i.Bandwidth).UnmarshalText([]byte(text))
}

// ParseCount reads a number of things.
func ParseCount(text, things string) (int, error) {
	v, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of %s: write a whole number", text, things)
	}
	return int(v), nil
}

// ParseSwitch reads the position of a switch, as those of parts are read.
func ParseSwitch(text string) (bool, error) {
	v, err := (&periph.Spec{Kind: periph.Switch}).Parse(text)
	return v.Bool(), err
}

// FormatVLANs and ParseVLANs write a list of VLANs as "10,20", none as "none".
func FormatVLANs(list []uint16) string {
	var texts []string
	for _, v := range list {
		texts = append(texts, strconv.Itoa(int(v)))
	}
	return FormatList(texts)
}

func FormatList(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ",")
}

// ParseList splits a list that FormatList has made.
func ParseList(text string) []string {
	if text == "none" || text == "" {
		return nil
	}
	return strings.Split(strings.ReplaceAll(text, " ", ""), ",")
}

func ParseVLANs(text string) (list []int, err error) {
	for _, f := range ParseList(text) {
		v, err := strconv.Atoi(f)
		if err != nil {
			return nil, fmt.Errorf("%q is no list of VLANs: write their numbers, such as \"10,20\", or none", text)
		}
		list = append(list, v)
	}
	return list, nil
}
