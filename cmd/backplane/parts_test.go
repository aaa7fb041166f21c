package main

import (
	"os"
	"strings"
	"testing"

	"backplane/periph/catalog"

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

// TestPartsByName: all of the catalog can be asked for by name, a controller with its
// properties and events, and the link of the same name with it.
func TestPartsByName(t *testing.T) {
	names := catalog.All.Names("")
	for _, k := range catalog.All.Controllers {
		names = append(names, controllerName(k))
	}
	for _, l := range catalog.Links() {
		names = append(names, l.Table)
	}
	for _, m := range catalog.All.Makers {
		names = append(names, m.Name)
	}
	for _, n := range names {
		var out strings.Builder
		if err := printParts(&out, []string{n}); err != nil || !strings.Contains(out.String(), "\n  source: ") {
			t.Errorf("%s: %v\n%s", n, err, &out)
		}
	}
	var out strings.Builder
	if err := printParts(&out, []string{"serial"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"[[serial]]: serial port\n", "\n  property noise ", "\n  property stuck ", "\n  event uart.rx ", "\n[[serial]] of an appliance: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("there is no %q in:\n%s", want, &out)
		}
	}
	if err := printParts(&out, []string{"tmp102", "seral"}); err == nil || err.Error() != `unknown part "seral": did you mean "serial"?` {
		t.Errorf("error %v", err)
	}
}
