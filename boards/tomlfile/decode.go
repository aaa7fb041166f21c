package tomlfile

import (
	"encoding"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"backplane/periph"
)

// decode fills a struct from the parsed tree. Fields are named by their `toml`
// tags; a field with `toml:",rest"`, a map[string]any, takes the keys that no
// other field has. A type with UnmarshalText takes text, and one with
// UnmarshalTOML takes any value.
func (d *Doc) decode(tree map[string]any, into any) {
	d.table("", tree, reflect.ValueOf(into).Elem())
}

// Decode fills into, a pointer, from a part of the file that a field with `toml:",rest"`
// took: the value that stands at path.
func (d *Doc) Decode(path string, v any, into any) {
	d.value(path, v, reflect.ValueOf(into).Elem())
}

// DecodeAll is Decode of a table whose keys are those of several structs, each a pointer.
func (d *Doc) DecodeAll(path string, tree map[string]any, into ...any) {
	fields := make(map[string]reflect.Value)
	var rest reflect.Value
	for _, s := range into {
		collectFields(reflect.ValueOf(s).Elem(), fields, &rest)
	}
	d.fields(path, tree, fields, rest)
}

type unmarshaler interface{ UnmarshalTOML(any) error }

var (
	textType  = reflect.TypeFor[encoding.TextUnmarshaler]()
	valueType = reflect.TypeFor[unmarshaler]()
	timeType  = reflect.TypeFor[time.Time]()
)

// Join is the path of a key of the table at path; that of no key is the table's.
func Join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}

func (d *Doc) table(path string, tree map[string]any, into reflect.Value) {
	fields := make(map[string]reflect.Value)
	var rest reflect.Value
	collectFields(into, fields, &rest)
	d.fields(path, tree, fields, rest)
}

func (d *Doc) fields(path string, tree map[string]any, fields map[string]reflect.Value, rest reflect.Value) {
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		at := Join(path, key)
		if f, ok := fields[key]; ok {
			d.value(at, tree[key], f)
			continue
		}
		if rest.IsValid() {
			if rest.IsNil() {
				rest.Set(reflect.MakeMap(rest.Type()))
			}
			rest.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(tree[key]))
			continue
		}
		known := make([]string, 0, len(fields))
		for k := range fields {
			known = append(known, k)
		}
		d.Add(at, "unknown key %q%s", key, periph.Suggest(key, known))
	}
}

// Fields are the keys that a struct takes.
func Fields(of any) []string {
	v := reflect.New(reflect.TypeOf(of)).Elem()
	fields := make(map[string]reflect.Value)
	var rest reflect.Value
	collectFields(v, fields, &rest)
	return slices.Sorted(maps.Keys(fields))
}

func collectFields(v reflect.Value, fields map[string]reflect.Value, rest *reflect.Value) {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("toml"), ",")
		switch {
		case f.Anonymous && name == "":
			collectFields(v.Field(i), fields, rest)
		case opts == "rest":
			*rest = v.Field(i)
		case name != "" && name != "-":
			fields[name] = v.Field(i)
		}
	}
}

func (d *Doc) value(path string, v any, into reflect.Value) {
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	if into.CanAddr() && into.Type() != timeType {
		switch p := into.Addr(); {
		case p.Type().Implements(valueType):
			if err := p.Interface().(unmarshaler).UnmarshalTOML(v); err != nil {
				d.refuse(path, "%s: %v", last(path), err)
			}
			return
		case p.Type().Implements(textType):
			d.text(path, v, p.Interface().(encoding.TextUnmarshaler))
			return
		}
	}
	want := func(what string) { d.refuse(path, "%s is %s; it must be %s", last(path), describe(v), what) }
	switch into.Kind() {
	case reflect.String:
		if s, ok := v.(string); ok {
			into.SetString(s)
		} else {
			want("text in quotes" + quoted(path, v))
		}
	case reflect.Bool:
		if b, ok := v.(bool); ok {
			into.SetBool(b)
		} else {
			want("true or false")
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n, ok := v.(int64); !ok {
			want("a whole number")
		} else if into.OverflowInt(n) {
			want("a smaller number")
		} else {
			into.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if n, ok := v.(int64); !ok {
			want("a whole number")
		} else if n < 0 || into.OverflowUint(uint64(n)) {
			top := uint64(math.MaxInt64)
			if bits := into.Type().Bits(); bits < 64 {
				top = 1<<bits - 1
			}
			want(fmt.Sprintf("0 to %d", top))
		} else {
			into.SetUint(uint64(n))
		}
	case reflect.Float64:
		switch n := v.(type) {
		case float64:
			if math.IsNaN(n) || math.IsInf(n, 0) {
				want("a finite number")
				return
			}
			into.SetFloat(n)
		case int64:
			into.SetFloat(float64(n))
		default:
			want("a number")
		}
	case reflect.Slice:
		d.slice(path, v, into)
	case reflect.Map:
		d.mapping(path, v, into)
	case reflect.Interface:
		into.Set(reflect.ValueOf(v))
	case reflect.Struct:
		if t, ok := v.(time.Time); ok && into.Type() == timeType {
			into.Set(reflect.ValueOf(t))
			return
		}
		if tree, ok := v.(map[string]any); ok && into.Type() != timeType {
			d.table(path, tree, into)
			return
		}
		if into.Type() == timeType {
			d.text(path, v, into.Addr().Interface().(encoding.TextUnmarshaler))
		} else {
			want("a table")
		}
	default:
		panic("tomlfile: field of kind " + into.Kind().String())
	}
}

// refuse notes why a value was not taken. What is found to be wrong with the field then is
// wrong for that reason, and not noted.
func (d *Doc) refuse(path, format string, args ...any) {
	d.Add(path, format, args...)
	d.refused[path] = true
}

func (d *Doc) text(path string, v any, into encoding.TextUnmarshaler) {
	if s, ok := v.(string); ok {
		if err := into.UnmarshalText([]byte(s)); err != nil {
			d.refuse(path, "%s: %v", last(path), err)
		}
		return
	}
	hint := quoted(path, v)
	if err := into.UnmarshalText([]byte(fmt.Sprint(v))); err != nil && hint != "" {
		hint = ". " + err.Error()
	}
	d.refuse(path, "%s is %s; it must be text in quotes%s", last(path), describe(v), hint)
}

// quoted shows a value that must be text as it would be right.
func quoted(path string, v any) string {
	switch v.(type) {
	case bool, int64, float64:
	default:
		return ""
	}
	if strings.HasSuffix(path, "]") { // an element of a list
		return fmt.Sprintf(": \"%v\"", v)
	}
	return fmt.Sprintf(": %s = \"%v\"", last(path), v)
}

func (d *Doc) slice(path string, v any, into reflect.Value) {
	var elements []any
	switch list := v.(type) {
	case []any:
		elements = list
	case []map[string]any:
		for _, m := range list {
			elements = append(elements, m)
		}
	case map[string]any:
		if orphan := d.orphans[path]; orphan != "" {
			d.refuse(path, "%s belongs to a [[%s]], but none precedes it: write above it\n%s", orphan, path, example(path, into.Type().Elem()))
			return
		}
		d.refuse(path, "[%s] is a single table; there may be several: write [[%[1]s]], or %[1]s = [{ ... }] in one line", last(path))
		return
	default:
		d.refuse(path, "%s is %s; it must be a list in [ ]", last(path), describe(v))
		return
	}
	into.Set(reflect.MakeSlice(into.Type(), len(elements), len(elements)))
	for i, e := range elements {
		d.value(fmt.Sprintf("%s[%d]", path, i), e, into.Index(i))
	}
}

// example is how a table of a list begins, each line indented.
func example(path string, table reflect.Type) string {
	lines := "    [[" + path + "]]"
	if table.Kind() != reflect.Struct {
		return lines
	}
	if slices.Contains(Fields(reflect.Zero(table).Interface()), "name") {
		lines += fmt.Sprintf("\n    name = \"%s0\"", last(path))
	}
	return lines
}

func (d *Doc) mapping(path string, v any, into reflect.Value) {
	tree, ok := v.(map[string]any)
	if !ok {
		d.refuse(path, "%s is %s; it must be a table in { }", last(path), describe(v))
		return
	}
	into.Set(reflect.MakeMap(into.Type()))
	for _, key := range slices.Sorted(maps.Keys(tree)) {
		e := reflect.New(into.Type().Elem()).Elem()
		d.value(Join(path, key), tree[key], e)
		into.SetMapIndex(reflect.ValueOf(key), e)
	}
}

// last is the last key of a path.
func last(path string) string {
	if strings.HasSuffix(path, "]") {
		if i := strings.LastIndexByte(path, '['); i > 0 {
			path = path[:i]
		}
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}

func describe(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("the text %q", v)
	case bool:
		return fmt.Sprintf("the boolean %t", v)
	case int64, float64:
		return fmt.Sprintf("the number %v", v)
	case map[string]any:
		return "a table"
	case []any, []map[string]any:
		return "a list"
	case time.Time:
		return "a date"
	}
	return fmt.Sprint(v)
}
