package interop

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds what happens unless something is wrong.
const patience = 30 * time.Second

// A target is what an operation addresses. Its JSON is that of interop/js/cluster.mjs.
type target struct {
	Namespace    string   `json:"namespace,omitempty"`
	Rooms        []string `json:"rooms,omitempty"`
	Except       []string `json:"except,omitempty"`
	Socket       string   `json:"socket,omitempty"` // the sender, which is left out
	Volatile     bool     `json:"volatile,omitempty"`
	Uncompressed bool     `json:"uncompressed,omitempty"`
	Local        bool     `json:"local,omitempty"`
	Timeout      int64    `json:"timeout,omitempty"` // of acknowledgements, in milliseconds
}

// A command is an operation: a target with its arguments.
type command struct {
	target
	ID         int    `json:"id"`
	Do         string `json:"do"`
	Args       []any  `json:"args,omitempty"` // the name of an event, and its arguments
	To         any    `json:"to,omitempty"`   // rooms to join or leave
	Connection bool   `json:"connection,omitempty"`
}

// Answers are what "call" results in.
type answers struct {
	Answers []any
	Error   string
}

// A remote is a socket as FetchSockets describes it. Handshake is the JSON of it.
type remote struct {
	ID        string
	Rooms     []string
	Data      map[string]any
	Handshake map[string]any
}

// A node is a server of a cluster, here or in Node.
type node interface {
	// do performs a command. Its result is stored in into, unless that is nil.
	do(c command, into any) error
	// url is where clients connect.
	url() string
	stop()
}

// A process is a node in Node, or an emitter there.
type process struct {
	t     testing.TB
	port  int
	in    io.WriteCloser
	ended chan struct{}

	mu      sync.Mutex
	last    int
	waiting map[int]chan reply
}

// A reply is what the process says. The first one has a port.
type reply struct {
	ID     int
	Port   *int
	Result json.RawMessage
	Error  string
}

// startProcess starts a process with an adapter of its own.
func startProcess(t testing.TB, adapter, prefix string, redis ...string) *process {
	t.Helper()
	return runProcess(t, "--adapter", adapter, "--prefix", prefix, "--redis", strings.Join(redis, ","))
}

// runProcess starts a process with arguments.
func runProcess(t testing.TB, args ...string) *process {
	t.Helper()
	needNode(t)
	c := exec.Command("node", append([]string{"../../interop/js/cluster.mjs"}, args...)...)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, in: in, ended: make(chan struct{}), waiting: make(map[int]chan reply)}
	ready := make(chan int, 1)
	go func() {
		defer close(p.ended)
		p.read(out, ready)
		c.Wait()
	}()
	t.Cleanup(func() {
		in.Close() // it ends then
		select {
		case <-p.ended:
		case <-time.After(patience):
			t.Error("node does not end")
			c.Process.Kill()
		}
	})
	select {
	case p.port = <-ready:
	case <-p.ended:
		t.Fatal("node has ended: were the packages of interop/js installed?")
	case <-time.After(patience):
		t.Fatal("node does not start")
	}
	return p
}

// needNode skips the test if there is no Node, or fails it if there must be.
func needNode(t testing.TB) {
	t.Helper()
	_, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat("../../interop/js/node_modules/@socket.io/redis-adapter")
	}
	switch {
	case err == nil:
	case os.Getenv("PARLEY_BROKERS") == "required":
		t.Fatal(err)
	default:
		t.Skip("needs Node, and npm ci in interop/js: ./check cluster does that")
	}
}

// read hands out what the process says.
func (p *process) read(out io.Reader, ready chan<- int) {
	r := bufio.NewReader(out)
	for {
		text, err := r.ReadBytes('\n')
		if err != nil {
			return
		}
		var said reply
		if err := json.Unmarshal(text, &said); err != nil {
			p.t.Errorf("node says %q: %v", text, err)
			return
		}
		if said.Port != nil {
			ready <- *said.Port
			continue
		}
		p.mu.Lock()
		to := p.waiting[said.ID]
		delete(p.waiting, said.ID)
		p.mu.Unlock()
		to <- said
	}
}

func (p *process) url() string { return "http://127.0.0.1:" + itoa(p.port) }

func (p *process) do(c command, into any) error {
	for i, arg := range c.Args {
		c.Args[i] = marked(arg)
	}
	answer := make(chan reply, 1)
	p.mu.Lock()
	p.last++
	c.ID = p.last
	p.waiting[c.ID] = answer
	text, err := json.Marshal(c)
	if err == nil {
		_, err = p.in.Write(append(text, '\n'))
	}
	p.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case said := <-answer:
		if said.Error != "" {
			return errors.New(said.Error)
		}
		if into == nil {
			return nil
		}
		return json.Unmarshal(said.Result, into)
	case <-p.ended:
		return errors.New("node has ended")
	case <-time.After(patience):
		return context.DeadlineExceeded
	}
}

// stop closes the server as an application does that is about to end.
func (p *process) stop() {
	p.t.Helper()
	if err := p.do(command{Do: "close"}, nil); err != nil {
		p.t.Error(err)
	}
	p.in.Close()
	<-p.ended
}
