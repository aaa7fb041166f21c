package boards

import (
	"encoding/json"

	"github.com/invopop/jsonschema"
)

// Schema is the JSON schema of what a TOML file of v's type may hold, for
// editors.
func Schema(v any, title string) ([]byte, error) {
	r := jsonschema.Reflector{FieldNameTag: "toml", ExpandedStruct: true, Anonymous: true}
	s := r.Reflect(v)
	s.Title = title
	// A chip's options and properties stand beside its own keys: which there
	// are depends on the model, and `backplane check` knows it.
	if chip, ok := s.Definitions["Chip"]; ok {
		chip.AdditionalProperties = jsonschema.TrueSchema
	}
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}
