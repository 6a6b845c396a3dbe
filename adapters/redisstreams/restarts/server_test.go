package restarts

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/redisstreams"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// drainTime bounds a server's shutdown.
const drainTime = 10 * time.Second

// A configuration is what a server process is told.
type configuration struct {
	Redis, Port string
	Goroutines  bool // each connection has one; otherwise a loop serves most of them
}

// A farewell is what a server process says at its end.
type farewell struct {
	Clients int           // at the signal
	Left    int           // at the end
	Took    time.Duration // from the signal on
	Err     string        // of Shutdown
	Wrong   []string      // clients that came back with other rooms or values
}

// Who a client is: its name and its room, which it sends as its auth.
type who struct {
	Name string `json:"name"`
	Room string `json:"room"`
}

// serve is a server process. It prints a line when it serves, and its farewell after SIGTERM,
// which ends it as a service manager would.
func serve(text string) {
	var c configuration
	check(json.Unmarshal([]byte(text), &c))
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)

	client := redis.NewClient(&redis.Options{Addr: c.Redis})
	streams := must(redisstreams.New(client, &redisstreams.Options{MaxLen: 1 << 17, Logger: quiet}))
	relay := must(engineio.NewRelay(c.Port, func(string) *url.URL { return nil }, nil))
	options := &socketio.Options{
		Adapter:  streams.Adapter,
		Recovery: &socketio.Recovery{},
		Engine:   engineio.Options{Hooks: engineio.Hooks{NewID: relay.NewID}},
		Logger:   slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	if c.Goroutines {
		options.Engine.Loop = &conn.Loop{After: -1}
	}
	server := must(socketio.NewServer(options))
	wrong := make(chan string, 10_000)
	server.OnConnect(func(s *socketio.Socket) { welcome(s, wrong) })
	web := &http.Server{Handler: server}
	listener := must(net.Listen("tcp", "127.0.0.1:"+c.Port))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	check(streams.Ready(ctx))
	cancel()
	go web.Serve(listener)
	fmt.Println("serves")

	<-terminated
	began := time.Now()
	bye := farewell{Clients: total(server)}
	ctx, cancel = context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for _, end := range []func(context.Context) error{server.Shutdown, web.Shutdown, streams.Close} {
		if err := end(ctx); err != nil {
			bye.Err += err.Error() + "; "
		}
	}
	bye.Took, bye.Left = time.Since(began), total(server)
	for len(wrong) > 0 {
		bye.Wrong = append(bye.Wrong, <-wrong)
	}
	fmt.Println(string(must(json.Marshal(bye))))
}

// welcome serves a client: what it says goes to its room, and then it is answered.
func welcome(s *socketio.Socket, wrong chan<- string) {
	auth := must(socketio.Auth[who](s))
	if s.Recovered() {
		name, _ := socketio.ValueOf[string](s, "name")
		if name != auth.Name || !slices.Equal(s.Rooms(), slices.Sorted(slices.Values([]string{s.ID(), auth.Room}))) {
			select {
			case wrong <- fmt.Sprintf("%v came back as %q in %q", auth, name, s.Rooms()):
			default:
			}
		}
	} else {
		s.Set("name", auth.Name)
		_ = s.Join(auth.Room) // unless the server shuts down already: then the client comes back as a new one
	}
	socketio.Handle(s, "say", func(_ context.Context, n int) (int, error) {
		return n, s.Namespace().To(auth.Room).Emit("said", auth.Name, n)
	})
}

// A process is a server process.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines *bufio.Reader
}

func start(t testing.TB, c configuration) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+string(must(json.Marshal(c))))
	cmd.Stderr = os.Stderr
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	p := &process{t, cmd, bufio.NewReader(out)}
	if line, err := p.lines.ReadString('\n'); line != "serves\n" {
		t.Fatalf("a server says %q, %v", line, err)
	}
	return p
}

// end sends SIGTERM, and returns what the server says once the process has ended.
func (p *process) end() (bye farewell) {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	line, err := io.ReadAll(p.lines)
	if e := p.cmd.Wait(); err == nil {
		err = e
	}
	if err == nil {
		err = json.Unmarshal(line, &bye)
	}
	if err != nil {
		p.t.Fatalf("a server has ended: %v", err)
	}
	return bye
}

// total returns how many clients a server has.
func total(s *socketio.Server) int {
	count := s.Sessions()
	return count.Polling + count.WebSocket
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](v T, err error) T {
	check(err)
	return v
}
