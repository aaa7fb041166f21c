package boards

import (
	"maps"
	"slices"

	"backplane/periph"

	"github.com/invopop/jsonschema"
)

// refuseZeros reports keys of a table that are given as 0, which their schema does not allow:
// in the table's value they are as good as left out. Of what the table's Check has reported
// it is told by said.
func refuseZeros(report periph.Report, said map[string]bool, values map[string]any, config any) {
	var schema *jsonschema.Schema
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if values[key] != int64(0) || said[key] {
			continue
		}
		if schema == nil {
			r := jsonschema.Reflector{FieldNameTag: "toml", ExpandedStruct: true, Anonymous: true}
			schema = r.Reflect(config)
		}
		s, ok := schema.Properties.Get(key)
		if !ok {
			continue // which the decoder has said
		}
		low, err := s.Minimum.Int64()
		switch {
		case err != nil || low <= 0:
		case s.Maximum == "":
			report(key, "%s is 0; it must be at least %d, or left out", key, low)
		default:
			report(key, "%s is 0; it must be %d to %s, or left out", key, low, s.Maximum)
		}
	}
}

// checkTable lets a table say what is wrong with it, and adds what it cannot know.
func checkTable(check func(periph.Report), report periph.Report, values map[string]any, config any) {
	said := make(map[string]bool)
	check(func(key, format string, args ...any) {
		said[key] = true
		report(key, format, args...)
	})
	refuseZeros(report, said, values, config)
}
