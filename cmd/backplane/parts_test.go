package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestPartsDocument holds docs/parts.md against the catalog.
func TestPartsDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/parts.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(partsDocument()), string(text)); diff != "" {
		t.Errorf("docs/parts.md is not the catalog's: run `make generated` (-want +got):\n%s", diff)
	}
}
