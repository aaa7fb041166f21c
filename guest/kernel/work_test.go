package kernel

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPlaces(t *testing.T) {
	tests := []struct{ name, cache, tmp, want string }{
		{"space", "my cache", "", "do not take ' ' in a path; set XDG_CACHE_HOME to another folder"},
		{"colon", "a:b", "", "do not take ':' in a path"},
		{"relative TMPDIR", "cache", "tmp", "the TMPDIR \"tmp\": must be an absolute path"},
		{"no TMPDIR", "cache", "/nowhere/at/all", "the TMPDIR \"/nowhere/at/all\": it is not a folder"},
	}
	source := tree(t, good)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", tt.tmp)
			b := Builder{Flavour: Virtual, Recipe: Recipe{Source: source}, Cache: filepath.Join(dir, tt.cache)}
			if _, err := b.Build(t.Context()); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q in it", err, tt.want)
			}
			if left := names(t, dir); len(left) > 0 {
				t.Errorf("it began: there is %v", left)
			}
		})
	}
}

// TestTimeLeft looks whether what comes before the first file counts as a file's time.
func TestTimeLeft(t *testing.T) {
	slow := strings.Replace(good, "@echo '  CC      a.o'", "@sleep 0.5; for i in $$(seq 100); do echo '  CC      a.o'; done", 1)
	b := Builder{Flavour: Virtual, Recipe: Recipe{Source: tree(t, slow)}, Cache: t.TempDir()}
	reports, most := 0, time.Duration(0)
	b.Progress = func(p Progress) {
		if p.Step == "compile" {
			reports++
			most = max(most, p.Left)
		}
	}
	if _, err := b.Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	if reports != 100 || most == 0 || most > 5*time.Minute {
		t.Errorf("%d reports with up to %s left; want 100, and some time well under 5 minutes", reports, most)
	}
}

// TestMain is a build to be killed, if it is told to be one.
func TestMain(m *testing.M) {
	if err := own(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if cache, source, ok := strings.Cut(os.Getenv("BACKPLANE_TEST_BUILD"), ":"); ok {
		b := Builder{Flavour: Virtual, Recipe: Recipe{Source: source}, Cache: cache, Progress: func(p Progress) { fmt.Println(p.Step) }}
		_, err := b.Build(context.Background())
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestBuildKilled(t *testing.T) {
	source := tree(t, strings.Replace(good, "echo kernel > $(O)/linux", "echo $$$$ > $(O)/../pid; sleep 1000", 1))
	cache := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "BACKPLANE_TEST_BUILD="+cache+":"+source)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(out); ; {
		if !s.Scan() {
			t.Fatal("the build ended by itself")
		}
		if s.Text() == "compile" {
			break
		}
	}
	pid := ""
	wait(t, "the compiler has begun", func() bool {
		files, _ := filepath.Glob(filepath.Join(cache, "building-*/pid"))
		if len(files) == 0 {
			return false
		}
		b, err := os.ReadFile(files[0])
		pid = strings.TrimSpace(string(b))
		return err == nil && pid != ""
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	wait(t, "its folder is gone", func() bool {
		left, _ := filepath.Glob(filepath.Join(cache, "building-*"))
		return len(left) == 0
	})
	nothingLeft(t, cache)
	if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
		t.Errorf("the compiler still runs: %s", stat)
	}
}

// wait waits for what other processes do.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("after a minute not yet: %s", what)
		}
	}
}
