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
// if it is "server", a NATS server alone on a port if that follows, a node if it is the URL
// of a NATS server. It does what it is told, one line each:
//
//	clients URL ROOM N   N clients connect with the Socket.IO server at URL and join a room
//	join ROOM            a client of this node joins a room
//	emit ROOM N          N numbered events go to a room
//	await N              N events have come to the clients
//	exit                 the process ends
//
// and says "done".
const childVariable = "PARLEY_TEST_CHILD"

// A process is a child, seen from the test.
type process struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
	url string // of its NATS server
}

func fork(t testing.TB, url string) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+url)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
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

// tell tells the process to do something.
func (p *process) tell(format string, v ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, format+"\n", v...); err != nil {
		p.t.Fatal(err)
	}
}

// do is tell, and waits until it is done.
func (p *process) do(format string, v ...any) {
	p.t.Helper()
	p.tell(format, v...)
	if line := p.line(); line != "done" {
		p.t.Fatalf("the other process says %q", line)
	}
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
	if port, alone := strings.CutPrefix(url, "server "); alone {
		s := serve(t, func(o *server.Options) { o.Port, _ = strconv.Atoi(port) })
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
	var clients []*client
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var verb, room, at string
		var count int
		switch verb, _, _ = strings.Cut(lines.Text(), " "); verb {
		case "clients":
			fmt.Sscan(lines.Text(), &verb, &at, &room, &count)
			for range count {
				other := &node{t: t, url: at}
				clients = append(clients, other.dial(room))
			}
		case "join":
			fmt.Sscan(lines.Text(), &verb, &room)
			clients = append(clients, n.dial(room))
		case "emit":
			fmt.Sscan(lines.Text(), &verb, &room, &count)
			for i := range count {
				check(t, n.io.To(room).Emit("n", 0, i))
			}
		case "await":
			fmt.Sscan(lines.Text(), &verb, &count)
			for _, c := range clients {
				for range count {
					<-c.got
				}
			}
		case "exit":
			return
		}
		fmt.Println("done")
	}
}
