package scenarios

import (
	"backplane/boards"
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
	})
}
