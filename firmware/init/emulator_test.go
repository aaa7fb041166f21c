package main

import (
	"testing"

	"backplane/firmware/config"
)

// TestRule: the words are those of Debian's qemu-user-binfmt for arm64, but for the ABI's version, which
// old assemblers write, and our flags.
func TestRule(t *testing.T) {
	want := `:emulator:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:` +
		`\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\xfe\xff\xff\xff:/e:FPC`
	if got := rule(&config.Emulator{Path: "/e", Class: 2, Machine: 183}); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
