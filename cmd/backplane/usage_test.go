package main

import (
	"context"
	"strings"
	"testing"
)

// TestWrongCommandLines: each says how it would be right, with status 2.
func TestWrongCommandLines(t *testing.T) {
	tests := []struct{ line, want string }{
		{"up", "up takes other arguments: write 'backplane up FILE [flags]'"},
		{"ps plant", "ps takes other arguments: write 'backplane ps [flags]'"},
		{"down plant --name plant", "NAME and --name mean the same: give one of them"},
		{"exec sensor", "exec takes other arguments: write 'backplane exec [-t] BOARD COMMAND [ARGUMENT...] [flags]'"},
		{"kernel tree all", "tree takes other arguments: write 'backplane kernel tree [flags]'"},
		{"schema boards", `schema has no "boards": did you mean "board"?`},
		{"power toggle sensor", `power has no command "toggle": there are cut, off, on`},
		{"press a.b --hold 50", `--hold is "50"; it must be a duration with its unit, such as "50ms"`},
		{"run --seed x s.toml", `--seed is "x"; it must be a whole number`},
		{"ps --log-level loud", `--log-level is "loud"; it must be debug, info, warn or error`},
		{"--log-format text ps", `--log-format is "text"; it must be console or json`},
		{"ps --log-file=", "--log-file is empty; it must be a file"},
		{"set a.b.c 1 --nome x", "unknown flag: --nome"},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			root := newRoot(newProgramLog())
			root.SetArgs(strings.Fields(tt.line))
			err := root.ExecuteContext(context.Background())
			if err == nil || err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
			if status := report(err); status != exitInput {
				t.Errorf("status %d", status)
			}
		})
	}
}
