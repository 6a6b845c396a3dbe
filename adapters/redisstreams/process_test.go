package redisstreams

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// A returned client is what a server process says of one that has come back.
type returned struct {
	ID    string
	Rooms []string
	Round int
	Bytes []byte
}

// beServer is a server process. Its first line is its URL. It says "back" and a returned
// for each client that comes back, and does what its lines say:
//
//	talk NAME   emit numbered events until it ends
//	stop        stop that, and say the last number
//	round N     give each client a value and a room that say so
//	close       shut down, and end
func beServer(addr, mode string) {
	streams := must(New(redis.NewClient(&redis.Options{Addr: addr}), &Options{
		MaxLen: 1 << 20, SurviveKill: mode != "", Immediate: mode == "immediate", Logger: quiet,
	}))
	server := must(socketio.NewServer(&socketio.Options{Adapter: streams.Adapter, Recovery: &socketio.Recovery{}, Logger: quiet}))
	var mu sync.Mutex // of sockets, and of what is printed
	sockets := map[*socketio.Socket]bool{}
	server.OnConnect(func(s *socketio.Socket) {
		mu.Lock()
		defer mu.Unlock()
		sockets[s] = true
		s.OnDisconnect(func(socketio.Reason) {
			mu.Lock()
			defer mu.Unlock()
			delete(sockets, s)
		})
		if !s.Recovered() {
			s.Join("room")
			s.Set("octets", []byte{0, 0xff})
			s.Emit("joined")
			return
		}
		round, _ := s.Value("round").(float64)
		octets, _ := s.Value("octets").([]byte)
		fmt.Printf("back %s\n", must(json.Marshal(returned{s.ID(), s.Rooms(), int(round), octets})))
	})
	site := httptest.NewServer(server)
	if err := streams.Ready(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println(site.URL)
	var stop func() int
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch verb, arg, _ := strings.Cut(in.Text(), " "); verb {
		case "talk":
			stop = (&node{io: server}).talk(arg)
		case "stop":
			fmt.Println(stop())
		case "round":
			var round int
			fmt.Sscan(arg, &round)
			mu.Lock()
			for s := range sockets {
				s.Leave(fmt.Sprint("round ", round-1))
				s.Join(fmt.Sprint("round ", round))
				s.Set("round", round)
			}
			mu.Unlock()
			fmt.Println("done")
		case "close":
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := server.Shutdown(ctx); err != nil {
				panic(err)
			}
			if err := streams.Close(ctx); err != nil {
				panic(err)
			}
			return
		}
	}
}

func init() {
	roles["server"] = func() { beServer(os.Getenv("PARLEY_REDIS"), os.Getenv("PARLEY_RECOVERY")) }
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// A process is the test's program in a role.
type process struct {
	t     testing.TB
	cmd   *exec.Cmd
	in    io.Writer
	url   *url.URL
	lines chan string
	back  chan returned
}

// startProcess starts one, with SurviveKill if mode is "kill", and with Immediate too if it is
// "immediate".
func startProcess(t testing.TB, redis, mode string) *process {
	t.Helper()
	p := runProcess(t, roleVariable+"=server", "PARLEY_REDIS="+redis, "PARLEY_RECOVERY="+mode)
	p.url = must(url.Parse(p.line()))
	return p
}

// runProcess starts a process.
func runProcess(t testing.TB, environment ...string) *process {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), environment...)
	c.Stderr = os.Stderr
	in, out := must(c.StdinPipe()), must(c.StdoutPipe())
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: c, in: in, lines: make(chan string, 10), back: make(chan returned, 1000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			data, ok := strings.CutPrefix(s.Text(), "back ")
			if !ok {
				p.lines <- s.Text()
				continue
			}
			var r returned
			if err := json.Unmarshal([]byte(data), &r); err != nil {
				t.Error(err)
			}
			p.back <- r
		}
	}()
	t.Cleanup(func() {
		c.Process.Kill()
		<-read
		c.Wait()
	})
	return p
}

func (p *process) line() string {
	p.t.Helper()
	select {
	case line, ok := <-p.lines:
		if !ok {
			p.t.Fatal("the process has ended")
		}
		return line
	case <-soon(p.t).Done():
		p.t.Fatal("the process says nothing")
	}
	return ""
}

func (p *process) tell(format string, args ...any) {
	p.t.Helper()
	if _, err := fmt.Fprintf(p.in, format+"\n", args...); err != nil {
		p.t.Fatal(err)
	}
}

// end kills the process, or shuts it down.
func (p *process) end(kill bool) {
	p.t.Helper()
	if kill {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		return
	}
	p.tell("close")
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatal(err)
	}
}
