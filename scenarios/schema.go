package scenarios

import (
	"backplane/boards"
	"backplane/boards/appliance"
	"backplane/periph"

	"github.com/invopop/jsonschema"
)

// Schema is the JSON schema of a scenario's file, for editors. It knows the kinds of events.
func Schema(c *periph.Catalog) ([]byte, error) {
	return boards.Schema(&Scenario{}, "Backplane scenario", c, func(s *jsonschema.Schema) {
		kinds := &jsonschema.Schema{Type: "string"}
		for _, k := range EventKinds(c) {
			kinds.Enum = append(kinds.Enum, k.Name)
		}
		for _, name := range []string{"Expect", "Want"} {
			event, _ := s.Definitions[name].Properties.Get("event")
			event.AnyOf = []*jsonschema.Schema{kinds, {Type: "string", Pattern: `\$\{`}} // what was captured
			event.Type = ""
		}
		step := s.Definitions["Step"].Properties
		for _, k := range appliance.Actions {
			if _, own := step.Get(k.Name); !own {
				step.Set(k.Name, actionSchema(k))
			}
		}
	})
}

// actionSchema is what stands under the key of a kind of action.
func actionSchema(k *appliance.ActionKind) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string", Description: k.Title + ": " + k.Place.Doc}
	if k.Text != "" {
		table := jsonschema.NewProperties()
		table.Set("board", &jsonschema.Schema{Type: "string", Description: "The board; without it the text is for the appliance"})
		table.Set("toml", &jsonschema.Schema{Type: "string", Description: "What is plugged; as a board file has it or an appliance file"})
		s.Type = ""
		s.OneOf = []*jsonschema.Schema{{Type: "string"}, {Type: "object", Properties: table, Required: []string{"toml"}, AdditionalProperties: jsonschema.FalseSchema}}
	}
	if k.Value != "" {
		s.Type, s.Description = "object", k.Title+": "+k.Place.Doc+" = value"
	}
	return s
}
