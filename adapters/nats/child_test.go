package natsadapter_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	natsadapter "github.com/parleyws/parley/adapters/nats"
	"github.com/parleyws/parley/socketio"
)

// childVariable makes the test binary a process beside the test: a NATS server with a node
// if it is "server", a NATS server alone on a port if that follows, one with JetStream if it
// is "jetstream" and a port, a node if it is the URL of a NATS server. It says the URL of the
// NATS server, and runs until it is killed, or the test has ended.
//
// If it is "recover" and a URL it is a node with JetStream, which says its own URL. For each
// line that it is told it begins to emit numbered events of this name to the room "room".
const childVariable = "PARLEY_TEST_CHILD"

// A process is a child, seen from the test.
type process struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
	url string // of its NATS server, or its own
}

func fork(t testing.TB, url string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe() // it ends with this process
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	p.url = p.line()
	return p
}

func (p *process) line() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatal("the other process:", err)
	}
	return strings.TrimSpace(line)
}

// childT is the testing.TB of a child.
type childT struct {
	testing.TB
	cleanups []func()
}

func (*childT) Helper()                   {}
func (c *childT) Cleanup(f func())        { c.cleanups = append(c.cleanups, f) }
func (*childT) Fatal(v ...any)            { panic(fmt.Sprint(v...)) }
func (*childT) Error(v ...any)            { panic(fmt.Sprint(v...)) }
func (*childT) Fatalf(f string, v ...any) { panic(fmt.Sprintf(f, v...)) }

func child() {
	t := new(childT)
	url := os.Getenv(childVariable)
	kind, at, _ := strings.Cut(url, " ")
	switch {
	case kind == "recover":
		n := startLogging(t, at)
		_ = n.io.Emit("here")
		n.located()
		fmt.Println(n.url)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			n.talk("room", lines.Text(), often)
		}
		return
	case at != "":
		s := serve(t, func(o *server.Options) {
			o.Port, _ = strconv.Atoi(at)
			o.JetStream, o.StoreDir = kind == "jetstream", os.Getenv("PARLEY_TEST_DIR")
		})
		fmt.Println(s.ClientURL())
		io.Copy(io.Discard, os.Stdin)
		return
	}
	if url == "server" {
		url = serve(t, nil).ClientURL()
	}
	n := start(t, url, &natsadapter.Options{Logger: quiet(), QueueBytes: 1 << 30})
	n.io.OnServerEvent("mute", func(*socketio.ServerEvent) {})
	_ = n.io.Emit("here")
	fmt.Println(url)
	io.Copy(io.Discard, os.Stdin)
}
