package net

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"backplane/periph"
	"backplane/simbus/ether"
)

// Impairment is what happens to frames, on a segment between two ports, or in one
// direction of a port's cable. What is not given stays as it is. Each field is one of
// [ether.Impairment] of the same name, a key of tables, and a property.
type Impairment struct {
	Latency   *periph.Duration `toml:"latency,omitempty" jsonschema:"description=Delay of a frame; 20us from port to port in virtual time if left out"`
	Jitter    *periph.Duration `toml:"jitter,omitempty" jsonschema:"description=By how much the latency varies up and down; frames keep their order"`
	Bandwidth *periph.Rate     `toml:"bandwidth,omitempty" jsonschema:"description=Bits per second; 1G in virtual time if left out and unlimited in real time"`
	Burst     *periph.Size     `toml:"burst,omitempty" jsonschema:"description=Bytes that may pass at once before the bandwidth limits them"`
	Queue     *periph.Size     `toml:"queue,omitempty" jsonschema:"description=Bytes that may wait for the bandwidth; 100 ms of it if left out"`
	Loss      *float64         `toml:"loss,omitempty" jsonschema:"minimum=0,maximum=1,description=Fraction of the frames that are lost"`
	Duplicate *float64         `toml:"duplicate,omitempty" jsonschema:"minimum=0,maximum=1,description=Fraction of the frames that arrive twice"`
	Reorder   *float64         `toml:"reorder,omitempty" jsonschema:"minimum=0,maximum=1,description=Fraction of the frames that the next frame overtakes"`
	Corrupt   *float64         `toml:"corrupt,omitempty" jsonschema:"minimum=0,maximum=1,description=Fraction of the frames that arrive with a flipped bit"`
}

// maxLatency bounds latency and jitter: more than to Neptune and back.
const maxLatency = periph.Duration(10 * time.Hour)

// setting is one field of an Impairment.
type setting struct {
	periph.Spec
	field int          // of Impairment
	of    int          // of ether.Impairment
	kind  reflect.Type // what the field points to
}

// settings are all of them.
var settings = func() (list []setting) {
	fields, model := reflect.TypeFor[Impairment](), reflect.TypeFor[ether.Impairment]()
	for i := range fields.NumField() {
		f := fields.Field(i)
		of, _ := model.FieldByName(f.Name)
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		_, doc, _ := strings.Cut(f.Tag.Get("jsonschema"), "description=")
		s := setting{periph.Spec{Name: name, Doc: doc}, i, of.Index[0], f.Type.Elem()}
		if s.kind.Kind() == reflect.Float64 {
			s.Kind, s.Max = periph.Number, 1
		} else {
			s.Kind, s.Loose = periph.Text, true
			s.Valid = func(v periph.Value) error { return s.set(new(ether.Impairment), v) }
		}
		list = append(list, s)
	}
	return list
}()

// settingSpecs describe the settings as properties.
func settingSpecs() (list []periph.Spec) {
	for i := range settings {
		list = append(list, settings[i].Spec)
	}
	return list
}

// findSetting finds a setting by its name, nil if there is none.
func findSetting(name string) *setting {
	for i := range settings {
		if settings[i].Name == name {
			return &settings[i]
		}
	}
	return nil
}

// Over lays what is given over i.
func (m *Impairment) Over(i *ether.Impairment) {
	if m == nil {
		return
	}
	from, to := reflect.ValueOf(m).Elem(), reflect.ValueOf(i).Elem()
	for _, s := range settings {
		if f := from.Field(s.field); !f.IsNil() {
			to.Field(s.of).Set(f.Elem().Convert(to.Field(s.of).Type()))
		}
	}
}

// check reports what is out of range.
func (m *Impairment) check(at string, report periph.Report) {
	if m == nil {
		return
	}
	if at != "" {
		at += "."
	}
	v := reflect.ValueOf(m).Elem()
	for _, s := range settings {
		if f := v.Field(s.field); !f.IsNil() {
			switch x := f.Elem().Interface().(type) {
			case float64:
				if !(x >= 0 && x <= 1) {
					report(at+s.Name, "%s is %g; it must be 0 to 1", s.Name, x)
				}
			case periph.Duration:
				if x > maxLatency {
					report(at+s.Name, "%s is %s; it must be at most %s", s.Name, x, maxLatency)
				}
			}
		}
	}
}

// get reads the setting.
func (s *setting) get(i ether.Impairment) periph.Value {
	v := reflect.ValueOf(i).Field(s.of)
	if s.Kind == periph.Number {
		return periph.Num(v.Float())
	}
	return periph.Str(v.Convert(s.kind).Interface().(fmt.Stringer).String())
}

// set changes the setting. A bandwidth may, beside what a file can say, be "unlimited".
func (s *setting) set(i *ether.Impairment, v periph.Value) error {
	field := reflect.ValueOf(i).Elem().Field(s.of)
	if s.Kind == periph.Number {
		field.SetFloat(v.Float())
		return nil
	}
	read := reflect.New(s.kind)
	if unlimited := v.Text() == "0" || v.Text() == "unlimited"; !unlimited || s.kind != reflect.TypeFor[periph.Rate]() {
		if err := read.Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(v.Text())); err != nil {
			return err
		}
	}
	if d, ok := read.Interface().(*periph.Duration); ok && *d > maxLatency {
		return fmt.Errorf("it is %s; it must be at most %s", d, maxLatency)
	}
	field.Set(read.Elem().Convert(field.Type()))
	return nil
}
