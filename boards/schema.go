package boards

import (
	"encoding/json"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"backplane/periph"
	"backplane/periph/regmap"

	"github.com/invopop/jsonschema"
)

// Schema is the JSON schema of what a TOML file of v's type may hold, for
// editors. It knows the models of the catalog, and the keys of each; extend, if given,
// adds what others know.
func Schema(v any, title string, catalog *periph.Catalog, extend ...func(*jsonschema.Schema)) ([]byte, error) {
	r := jsonschema.Reflector{FieldNameTag: "toml", ExpandedStruct: true, Anonymous: true, Namer: definitionName}
	s := r.Reflect(v)
	s.Title = title
	if chip, ok := s.Definitions["Chip"]; ok {
		chipSchema(chip, catalog)
	}
	switch v.(type) {
	case *Board:
		for _, k := range catalog.Controllers {
			if k.Always == "" {
				s.Properties.Set(k.Table, controllerSchema(r, s, k))
			}
		}
	case *Appliance:
		for _, k := range catalog.Links {
			s.Properties.Set(k.Table, tables(k.Title, tableSchema(r, s, k.Config(), "What the "+k.Name+" is called")))
		}
	}
	for _, f := range extend {
		f(s)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// definitionName is the name of a type's definition: with its package before it if that is
// a kind's, since another kind may have a type of the same name.
func definitionName(t reflect.Type) string {
	if kind, ok := strings.CutPrefix(t.PkgPath(), reflect.TypeFor[periph.Catalog]().PkgPath()+"/"); ok {
		return strings.ReplaceAll(kind, "/", ".") + "." + t.Name()
	}
	return t.Name()
}

// chipSchema lets the keys of a chip, beside those of every chip, depend on its model.
func chipSchema(chip *jsonschema.Schema, catalog *periph.Catalog) {
	model, _ := chip.Properties.Get("model")
	for _, m := range catalog.Models {
		model.Enum = append(model.Enum, m.Name)
		chip.AllOf = append(chip.AllOf, forModel(m.Name, modelSchema(m)))
	}
	model.Enum = append(model.Enum, regmap.Name)
	// A part that the file itself describes has the properties that it says.
	chip.AllOf = append(chip.AllOf, forModel(regmap.Name, &jsonschema.Schema{AdditionalProperties: jsonschema.TrueSchema, Required: []string{"registers"}}))
	chip.AdditionalProperties = nil
	chip.Extras = map[string]any{"unevaluatedProperties": false}
}

// tableSchema is the table of a kind, with a name. What else it needs is defined in root.
func tableSchema(r jsonschema.Reflector, root *jsonschema.Schema, config any, name string) *jsonschema.Schema {
	table := r.Reflect(config)
	table.Version = ""
	maps.Copy(root.Definitions, table.Definitions)
	table.Definitions = nil
	if table.Properties == nil {
		table.Properties = jsonschema.NewProperties()
	}
	table.Properties.Set("name", &jsonschema.Schema{Type: "string", Description: name})
	table.Required = append(table.Required, "name")
	return table
}

// tables is a list of such tables.
func tables(title string, table *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", Items: table, Description: title}
}

// controllerSchema is a list of tables of a kind of controller.
func controllerSchema(r jsonschema.Reflector, root *jsonschema.Schema, k *periph.ControllerKind) *jsonschema.Schema {
	name := "Name of the controller"
	if k.Interface {
		name = "Name of the interface in the guest such as eth0"
	}
	table := tableSchema(r, root, k.Config(), name)
	table.Properties.Set("unplugged", &jsonschema.Schema{Type: "boolean", Description: "Absent until it is plugged"})
	if k.Numbered {
		table.Properties.Set("number", &jsonschema.Schema{Type: "integer", Minimum: "0", Maximum: json.Number(strconv.Itoa(maxNumber)),
			Description: "Number of the controller in the kernel; the next free one if left out"})
	}
	if k.Device != "" {
		table.Properties.Set("device", &jsonschema.Schema{Type: "string", Description: "Its name in the guest such as /dev/ttyS1"})
	}
	if k.Interface {
		network := r.Reflect(Network{})
		maps.Copy(root.Definitions, network.Definitions)
		for p := network.Properties.Oldest(); p != nil; p = p.Next() {
			table.Properties.Set(p.Key, p.Value)
		}
	}
	if k.Chips {
		table.Properties.Set("chip", &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Ref: "#/$defs/Chip"}, Description: "Parts on it"})
	}
	return tables(k.Title+"s", table)
}

// forModel is what goes for the chips of one model.
func forModel(name string, then *jsonschema.Schema) *jsonschema.Schema {
	is := jsonschema.NewProperties()
	is.Set("model", &jsonschema.Schema{Const: name})
	return &jsonschema.Schema{If: &jsonschema.Schema{Properties: is, Required: []string{"model"}}, Then: then}
}

// modelSchema is what a model's own keys may be: its address and pins, its options
// and the properties that have a value at power-on.
func modelSchema(m *periph.Model) *jsonschema.Schema {
	s := &jsonschema.Schema{Description: m.Title, Properties: jsonschema.NewProperties()}
	for _, mount := range m.On {
		for i := range mount.Keys {
			key := &mount.Keys[i]
			s.Properties.Set(key.Name, specSchema(key))
			if key.Required && len(m.On) == 1 {
				s.Required = append(s.Required, key.Name)
			}
		}
	}
	pins := &jsonschema.Schema{Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for _, p := range m.Pins {
		pins.Properties.Set(p.Name, &jsonschema.Schema{Type: "string", Description: p.Doc})
	}
	s.Properties.Set("pins", pins)
	for _, specs := range [][]periph.Spec{m.Options, m.Properties} {
		for i := range specs {
			if p := &specs[i]; !p.ReadOnly && p.Kind != periph.Action {
				s.Properties.Set(p.Name, specSchema(p))
			}
		}
	}
	return s
}

// specSchema is what the value of an option or property may be.
func specSchema(p *periph.Spec) *jsonschema.Schema {
	s := &jsonschema.Schema{Description: strings.TrimSpace(p.Doc + p.InUnit())}
	switch p.Kind {
	case periph.Switch:
		s.Type, s.Default = "boolean", p.Default.Bool()
	case periph.Text:
		s.Type = "string"
		for _, word := range p.Enum {
			s.Enum = append(s.Enum, word)
		}
		if text := p.Default.Text(); text != "" {
			s.Default = text
		}
	default:
		s.Type = map[periph.Kind]string{periph.Number: "number", periph.Whole: "integer"}[p.Kind]
		if !p.Required {
			s.Default = decimal(p.Default.Float())
		}
		for _, f := range p.Only {
			s.Enum = append(s.Enum, decimal(f))
		}
		if p.Range == nil && (p.Min != 0 || p.Max != 0) {
			s.Minimum, s.Maximum = decimal(p.Min), decimal(p.Max)
		}
	}
	return s
}

func decimal(f float64) json.Number { return json.Number(strconv.FormatFloat(f, 'g', -1, 64)) }
