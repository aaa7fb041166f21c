package tests

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const recoveryDrill = "scenarios/recovery-drill/recovery-drill.toml"

// repairs are what mends each way in which the drill breaks its service, and what the judge
// names if it is left out.
var repairs = []struct {
	fault   string   // how the step of the scenario begins that breaks it
	player  string   // what of the player's steps mends it
	command []string // the same from outside
	broken  []string // of the failure: what is broken, and what people see of it
}{
	{"first", `plug = "sensor.temp0"`, []string{"plug", "sensor.temp0"}, []string{"sensor.temp0 measures again", "service: no measurement"}},
	{"second", `set = { "store.log.read_only" = false }`, []string{"set", "store.log.read_only", "false"}, []string{"store.log takes writes again", "service: cannot store"}},
	{"third", `power_on = "front"`, []string{"power", "on", "front"}, []string{"front is up again", `"^service: whole$" on front.console: not so`}},
	{"fourth", `plug = "lan:store.eth0"`, []string{"plug", "lan:store.eth0"}, []string{"store.eth0 has its cable again", "service: no store"}},
	{"fifth", `set = { "lan:sensor.eth0.tx.loss" = 0 }`, []string{"set", "lan:sensor.eth0.tx.loss", "0"}, []string{"lan:sensor.eth0 loses none any more", "service: sensor silent"}},
}

// copied copies the drill's files to a folder, and changes its scenario and its player.
func copied(t *testing.T, play, player func(string) string) (scenario string) {
	t.Helper()
	files := make(map[string]string)
	paths, err := filepath.Glob("../" + filepath.Dir(recoveryDrill) + "/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		switch name := filepath.Base(p); name {
		case filepath.Base(recoveryDrill):
			files[name] = play(string(text))
		case "player.toml":
			files[name] = player(string(text))
		default:
			files[name] = string(text)
		}
	}
	return filepath.Join(writeFiles(t, files), filepath.Base(recoveryDrill))
}

// TestRecoveryDrill plays the drill with its own player: each run is the same.
func TestRecoveryDrill(t *testing.T) { verified(t, recoveryDrill, 2) }

// TestRecoveryDrillNeedsEachRepair leaves each repair out, of a drill with just that fault:
// the judge says what is still broken. With the repair the same drill passes.
func TestRecoveryDrillNeedsEachRepair(t *testing.T) {
	t.Parallel() // most of it waits for one board
	for i, r := range repairs {
		t.Run(r.fault, func(t *testing.T) {
			one := func(text string) string {
				steps := strings.Split(text, "[[step]]\n")
				return strings.ReplaceAll(strings.Join(append(steps[:2:2], steps[2+2*i:4+2*i]...), "[[step]]\n"), `"1m"`, `"10s"`)
			}
			mends := func(text string) string {
				if !strings.Contains(text, r.player) {
					t.Fatalf("the player has no %s", r.player)
				}
				return "[[step]]\nwait = \"5s\"\n" + r.player + "\n"
			}
			if out, errs, status := run(t, nil, "run", copied(t, one, mends)); status != 0 {
				t.Errorf("mended: status %d\n%s%s", status, out, errs)
			}
			idle := func(string) string { return "[[step]]\nwait = \"1s\"\n" }
			out, errs, status := run(t, nil, "run", copied(t, one, idle))
			_, failed, _ := strings.Cut(out, "FAIL  ")
			for _, want := range append(r.broken, "FAILED: recovery-drill") {
				if status != 1 || !strings.Contains(failed, want) {
					t.Errorf("not mended: status %d, want 1 and %q\n%s%s", status, want, out, errs)
				}
			}
		})
	}
}

// TestRecoveryDrillRest wants a repair to fail that restarts a board which was well.
func TestRecoveryDrillRest(t *testing.T) {
	t.Parallel()
	first := func(text string) string { return strings.Join(strings.Split(text, "[[step]]\n")[:4], "[[step]]\n") }
	rough := func(string) string {
		return "[[step]]\nwait = \"5s\"\nplug = \"sensor.temp0\"\n[[step]]\npull_plug = \"store\"\n[[step]]\npower_on = \"store\"\n"
	}
	// The plug comes first, but the service is whole again only at the front end's next look.
	out, errs, status := run(t, nil, "run", copied(t, first, rough))
	if want := "no event \"guest\": not so"; status != 1 || !strings.Contains(out, want) || !strings.Contains(out, "store guest state=off") {
		t.Errorf("status %d, want 1 and %q\n%s%s", status, want, out, errs)
	}
}

// played starts the drill for a player outside, without its long waits.
func played(t *testing.T, args ...string) (cmd *exec.Cmd, said *bufio.Scanner) {
	t.Helper()
	fast := strings.NewReplacer(`wait = "2s"`, `wait = "100ms"`)
	scenario := copied(t, fast.Replace, func(text string) string { return text })
	cmd = exec.Command(backplane(t), append([]string{"run", "--play", scenario}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

// TestRecoveryDrillByHand has somebody outside mend the service, by commands, in both clocks.
// In virtual time what came of it can be replayed.
func TestRecoveryDrillByHand(t *testing.T) {
	t.Parallel() // most of it waits for one board
	for _, clock := range []string{"virtual", "real"} {
		t.Run(clock, func(t *testing.T) {
			record := filepath.Join(t.TempDir(), "record")
			cmd, said := played(t, "--clock", clock, "--out", record)
			var all []string
			for said.Scan() {
				all = append(all, said.Text())
				_, step, ok := strings.Cut(said.Text(), "  ok    ")
				for _, r := range repairs {
					if !ok || !strings.HasPrefix(step, r.fault+":") {
						continue
					}
					if out, errs, status := run(t, nil, append(r.command, "--name", "recovery-drill")...); status != 0 {
						t.Errorf("%q: status %d\n%s%s", r.command, status, out, errs)
					}
				}
			}
			text := strings.Join(all, "\n")
			if err := cmd.Wait(); err != nil || !strings.Contains(text, "PASSED: recovery-drill") || strings.Contains(text, "player:") {
				t.Fatalf("%v\n%s", err, text)
			}
			if clock == "real" {
				return
			}
			if out, errs, status := run(t, nil, "replay", record); status != 0 || !strings.Contains(out, "SAME: ") {
				t.Errorf("replay: status %d\n%s%s", status, out, errs)
			}
		})
	}
}

// TestRecoveryDrillGivenUp ends a drill from outside: it has not passed.
func TestRecoveryDrillGivenUp(t *testing.T) {
	cmd, said := played(t)
	for said.Scan() && !strings.Contains(said.Text(), "first:") {
	}
	out, errs, status := run(t, nil, "down", "recovery-drill")
	if status != 0 {
		t.Errorf("down: status %d\n%s%s", status, out, errs)
	}
	var rest strings.Builder
	for said.Scan() {
		rest.WriteString(said.Text() + "\n")
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != 1 || !strings.Contains(rest.String(), "the player has given up") || !strings.Contains(rest.String(), "FAILED: recovery-drill") {
		t.Errorf("%v\n%s", err, rest.String())
	}
	for _, flags := range [][]string{{"--until", "1"}, {"--verify", "2"}} {
		if _, errs, status := run(t, nil, append([]string{"run", "--play", recoveryDrill}, flags...)...); status != 2 || !strings.Contains(errs, "--play goes with neither") {
			t.Errorf("%q: status %d, %s", flags, status, errs)
		}
	}
}
