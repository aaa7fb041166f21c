package boards_test

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"testing"

	"backplane/periph"
	"backplane/periph/catalog"

	"github.com/google/go-cmp/cmp"
)

// TestSchemaKnowsTheModels wants each model in the boards' schema, with the keys that
// a board file can give it, and no others to be taken.
func TestSchemaKnowsTheModels(t *testing.T) {
	text, err := os.ReadFile("schema/board.json")
	if err != nil {
		t.Fatal(err)
	}
	type keys struct {
		Properties map[string]struct {
			Const string `json:"const"`
		} `json:"properties"`
	}
	var schema struct {
		Defs struct {
			Chip struct {
				Properties struct {
					Model struct{ Enum []string }
				}
				AllOf []struct {
					If   keys
					Then struct{ Properties map[string]any }
				}
				Unevaluated *bool `json:"unevaluatedProperties"`
			}
		} `json:"$defs"`
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	chip := schema.Defs.Chip
	if chip.Unevaluated == nil || *chip.Unevaluated {
		t.Error("a chip may have any key")
	}
	got := make(map[string][]string)
	for _, branch := range chip.AllOf {
		got[branch.If.Properties["model"].Const] = slices.Sorted(maps.Keys(branch.Then.Properties))
	}
	want := map[string][]string{"registers": nil}
	for _, m := range catalog.All.Models {
		names := []string{"pins"}
		for _, mount := range m.On {
			for _, key := range mount.Keys {
				names = append(names, key.Name)
			}
		}
		for _, s := range append(slices.Clone(m.Options), m.Properties...) {
			if !s.ReadOnly && s.Kind != periph.Action {
				names = append(names, s.Name)
			}
		}
		slices.Sort(names)
		want[m.Name] = names
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys of the models (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(slices.Values(chip.Properties.Model.Enum))); diff != "" {
		t.Errorf("models (-want +got):\n%s", diff)
	}
}
