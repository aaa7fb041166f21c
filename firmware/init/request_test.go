package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"backplane/firmware/agentproto"
)

// pipeAgent is an agent whose frames a test reads.
func pipeAgent(t *testing.T) (*agent, *os.File) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); out.Close() })
	return &agent{out: out, requests: make(map[uint32]*request)}, in
}

// TestOutputWaits sends no more than a request's window, until there is credit.
func TestOutputWaits(t *testing.T) {
	a, in := pipeAgent(t)
	r := a.open(7, 1000)
	done := make(chan error, 1)
	go func() { done <- r.copy(agentproto.Stdout, bytes.NewReader(make([]byte, 2500))) }()
	for _, want := range []int{1000, 1000, 500} {
		f, err := agentproto.Read(in)
		if err != nil || len(f.Payload) != want || f.Channel != 7 {
			t.Fatalf("%d bytes, %v, want %d", len(f.Payload), err, want)
		}
		select {
		case err := <-done:
			if want == 1000 {
				t.Fatalf("it ends with %v", err)
			}
			done <- err
		default:
		}
		r.credit(want)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	go func() { done <- r.copy(agentproto.Stdout, bytes.NewReader(make([]byte, 2500))) }()
	r.end()
	if err := <-done; err != errGone {
		t.Errorf("a request that is given up ends with %v", err)
	}
}

// TestInputIsCredited gives credit for what a program has been given.
func TestInputIsCredited(t *testing.T) {
	a, in := pipeAgent(t)
	r := a.open(7, 0)
	r.give(make([]byte, agentproto.Window/2))
	r.give(nil)
	if got, err := io.ReadAll(r); err != nil || len(got) != agentproto.Window/2 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	total := 0
	for total < agentproto.Window/4 {
		f, err := agentproto.Read(in)
		if err != nil || f.Type != agentproto.Credit {
			t.Fatal(f, err)
		}
		n, err := agentproto.ParseCredit(f.Payload, agentproto.Window)
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
}

// TestPutGivenUp leaves the file as it was, and nothing beside it.
func TestPutGivenUp(t *testing.T) {
	a, _ := pipeAgent(t)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := a.open(7, 0)
	r.give([]byte("half"))
	go r.kill()
	if err := put(agentproto.FileRequest{Path: path, Mode: 0o644}, r); err != errGone {
		t.Errorf("put ends with %v", err)
	}
	files, err := filepath.Glob(filepath.Dir(path) + "/*")
	data, _ := os.ReadFile(path)
	if err != nil || len(files) != 1 || string(data) != "old" {
		t.Errorf("%v, %v: %q", files, err, data)
	}
}
