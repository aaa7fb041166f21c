package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestKernelLicence holds what changes the kernel, or is compiled for it and its
// programs in C, to the kernel's licence.
func TestKernelLicence(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != "../.." && d.Name()[0] == '.' {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains([]string{".patch", ".c", ".h"}, filepath.Ext(path)) {
			return nil
		}
		found++
		text, err := os.ReadFile(path)
		head, _, _ := bytes.Cut(text, []byte("\n---\n")) // of a patch: what is before the change
		if !bytes.Contains(head, []byte("SPDX-License-Identifier: GPL-2.0")) {
			t.Errorf("%s has no SPDX-License-Identifier", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("no patch and no C file was found")
	}
}
