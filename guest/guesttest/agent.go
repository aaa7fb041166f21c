package guesttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"backplane/firmware/agentproto"
)

// agentConsole is the console of the board's agent.
const agentConsole = "agent"

// agent is a board's.
type agent struct {
	decoder  agentproto.Decoder
	programs map[uint32]*Program
	files    map[string]file
}

type file struct {
	data []byte
	mode uint32
}

// Program is one that the agent runs.
type Program struct {
	*Kernel
	Args []string

	channel uint32
	input   []byte
	ended   bool // of the input
	killed  bool
	window  int // of its output, 0: not bounded
	owed    int // of that
}

// maxOutput is how much of a program's output is said at once, in bytes.
const maxOutput = 16 << 10

// Up says that init has come up, and has the agent do its work from now on.
func (k *Kernel) Up() {
	k.agent.programs, k.agent.files = make(map[uint32]*Program), make(map[string]file)
	k.Go(k.serve)
	k.Hello()
}

// Hello says that init has come up. Without [Kernel.Up] nobody listens then.
func (k *Kernel) Hello() { k.say(agentproto.Hello, 0, []byte(agentproto.Version)) }

// Fail tells of something that init could not do. It comes before Up.
func (k *Kernel) Fail(what string) { k.say(agentproto.Failure, 0, []byte(what)) }

// CPUs tells how many CPUs are online. The program "cpus" is what takes them online or
// offline when the agent is asked to; its argument says how many are to be.
func (k *Kernel) CPUs(online int) {
	b, err := json.Marshal(agentproto.CPUCount{Online: online})
	k.must(err)
	k.say(agentproto.CPUs, 0, b)
}

// Say writes whatever it is on the agent's console.
func (k *Kernel) Say(p []byte) { k.Write(agentConsole, p) }

func (k *Kernel) say(t agentproto.Type, channel uint32, p []byte) {
	k.Say(agentproto.Frame{Type: t, Channel: channel, Payload: p}.Append(nil))
}

func (k *Kernel) serve() {
	for {
		k.must(k.agent.decoder.Feed(k.Read(agentConsole), k.frame))
	}
}

func (k *Kernel) frame(f agentproto.Frame) {
	p := k.agent.programs[f.Channel]
	switch {
	case f.Type == agentproto.PowerOff:
		k.Halt()
	case f.Type == agentproto.Exec:
		var r agentproto.ExecRequest
		k.must(json.Unmarshal(f.Payload, &r))
		k.begin(f.Channel, r.Args, r.Window, k.ks.Programs[r.Args[0]])
	case f.Type == agentproto.CPUs:
		var n agentproto.CPUCount
		k.must(json.Unmarshal(f.Payload, &n))
		k.begin(f.Channel, []string{"cpus", fmt.Sprint(n.Online)}, 0, k.ks.Programs["cpus"])
	case f.Type == agentproto.Put || f.Type == agentproto.Get:
		var r agentproto.FileRequest
		k.must(json.Unmarshal(f.Payload, &r))
		do := putFile
		if f.Type == agentproto.Get {
			do = getFile
		}
		k.begin(f.Channel, []string{r.Path, fmt.Sprint(r.Mode)}, r.Window, do(r))
	case p == nil: // it has ended
	case f.Type == agentproto.Stdin:
		p.input, p.ended = append(p.input, f.Payload...), len(f.Payload) == 0
	case f.Type == agentproto.Kill:
		p.killed = true
	case f.Type == agentproto.Credit:
		n, err := agentproto.ParseCredit(f.Payload, p.owed)
		k.must(err)
		p.owed -= n
	}
}

// begin begins a program, which is nil if there is none of that name.
func (k *Kernel) begin(channel uint32, args []string, window int, do func(*Program) int) {
	p := &Program{Kernel: k, Args: args, channel: channel, window: window}
	k.agent.programs[channel] = p
	k.Go(func() {
		status := agentproto.ExitStatus{Error: args[0] + ": not found"}
		if do != nil {
			status = agentproto.ExitStatus{Status: do(p)}
			if f, ok := k.agent.files[args[0]]; ok {
				status.Mode = f.mode
			}
		}
		delete(k.agent.programs, channel)
		b, err := json.Marshal(status)
		k.must(err)
		k.say(agentproto.Exit, channel, b)
	})
}

func putFile(r agentproto.FileRequest) func(*Program) int {
	return func(p *Program) int {
		data, err := io.ReadAll(p)
		p.must(err)
		p.agent.files[r.Path] = file{data, r.Mode}
		return 0
	}
}

func getFile(r agentproto.FileRequest) func(*Program) int {
	return func(p *Program) int {
		f, ok := p.agent.files[r.Path]
		if !ok {
			return 1
		}
		_, err := p.Write(f.data)
		p.must(err)
		return 0
	}
}

// Read is a program's standard input.
func (p *Program) Read(b []byte) (int, error) {
	p.Await(func() bool { return len(p.input) > 0 || p.ended || p.killed })
	if len(p.input) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.input)
	p.input = bytes.Clone(p.input[n:])
	p.say(agentproto.Credit, p.channel, agentproto.AppendCredit(nil, n))
	return n, nil
}

// Write is a program's standard output. What its window has no room for waits.
func (p *Program) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		p.Await(func() bool { return p.window == 0 || p.owed < p.window || p.killed })
		if p.killed {
			return len(b) - len(rest), os.ErrClosed
		}
		n := min(len(rest), maxOutput)
		if p.window > 0 {
			n = min(n, p.window-p.owed)
		}
		p.owed += n
		p.say(agentproto.Stdout, p.channel, rest[:n])
		rest = rest[n:]
	}
	return len(b), nil
}

// Killed tells whether somebody has ended the program. One that sleeps has to look.
func (p *Program) Killed() bool { return p.killed }
