//go:build unix

package redisstreams

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// roleVariable makes the test's program one of the processes of a benchmark: the CPU time of
// each is measured apart.
const roleVariable = "PARLEY_STREAMS_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "node":
		beNode(os.Getenv("PARLEY_REDIS"))
	case "clients":
		beClients(os.Getenv("PARLEY_URL"), os.Getenv("PARLEY_COUNT"))
	default:
		leakcheck.Main(m)
	}
}

// cpu returns the CPU time of the process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// beNode is a node: for each line "N room" it emits N events and says what CPU time they
// took; after "seen N" it says what all has taken, once so many messages have come. Its first
// line is its address.
func beNode(addr string) {
	streams := must(New(redis.NewClient(&redis.Options{Addr: addr}), &Options{MaxLen: 1_000_000}))
	server := must(socketio.NewServer(&socketio.Options{Adapter: streams.Adapter}))
	server.OnConnect(func(s *socketio.Socket) {
		s.Join("r")
		s.Emit("joined")
	})
	site := httptest.NewServer(server)
	ctx := context.Background()
	if err := streams.Ready(ctx); err != nil {
		panic(err)
	}
	fmt.Println(site.URL)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var n int64
		var room string
		if c, _ := fmt.Sscanf(in.Text(), "seen %d", &n); c == 1 {
			for streams.Stats().Received < n {
				<-time.After(5 * time.Millisecond)
			}
			fmt.Println(int64(cpu()))
			continue
		}
		begin := cpu()
		fmt.Sscan(in.Text(), &n, &room)
		for i := range n {
			if err := server.To(room).Emit("receive-message", "hello, this is a message", i); err != nil {
				panic(err)
			}
			if i%500 == 499 || i == n-1 {
				if err := streams.publishers["socket.io"].Flush(ctx); err != nil {
					panic(err)
				}
			}
		}
		fmt.Println(int64(cpu() - begin))
	}
}

// beClients is so many clients of a node, in the room "r". Whenever all have had an event with the
// number of a line, it says so.
func beClients(url, count string) {
	var n int
	fmt.Sscan(count, &n)
	var mu sync.Mutex
	changed := sync.NewCond(&mu)
	last, joined := make([]int, n), 0
	for i := range n {
		last[i] = -1
		must(socketio.Dial(context.Background(), url, &socketio.DialOptions{Auth: map[string]any{"rooms": []string{"r"}}, Setup: func(c *socketio.Client) {
			socketio.On2(c, "receive-message", func(_ context.Context, _ string, k int) error {
				mu.Lock()
				defer mu.Unlock()
				if k != 0 && k != last[i]+1 {
					panic(fmt.Sprintf("%d after %d", k, last[i]))
				}
				last[i] = k
				changed.Broadcast()
				return nil
			})
			socketio.On(c, "joined", func(context.Context, any) error {
				mu.Lock()
				defer mu.Unlock()
				joined++
				changed.Broadcast()
				return nil
			})
		}}))
	}
	mu.Lock()
	for joined < n {
		changed.Wait()
	}
	mu.Unlock()
	fmt.Println("joined")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var until int
		fmt.Sscan(in.Text(), &until)
		mu.Lock()
		for i := range last {
			for last[i] < until {
				changed.Wait()
			}
			last[i] = -1
		}
		mu.Unlock()
		fmt.Println("all")
	}
}

// A child is another process of the benchmark.
type child struct {
	b   *testing.B
	in  io.WriteCloser
	out *bufio.Scanner
}

func newChild(b *testing.B, environment ...string) *child {
	b.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), environment...)
	c.Stderr = os.Stderr
	in, out := must(c.StdinPipe()), must(c.StdoutPipe())
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		in.Close()
		c.Process.Kill()
		c.Wait()
	})
	return &child{b, in, bufio.NewScanner(out)}
}

// line returns the next line that the child writes.
func (c *child) line() string {
	c.b.Helper()
	if !c.out.Scan() {
		c.b.Fatal("a process has ended")
	}
	return c.out.Text()
}

func (c *child) ask(format string, args ...any) string {
	c.b.Helper()
	fmt.Fprintf(c.in, format+"\n", args...)
	return c.line()
}

func (c *child) time(format string, args ...any) time.Duration {
	c.b.Helper()
	var d int64
	fmt.Sscan(c.ask(format, args...), &d)
	return time.Duration(d)
}

// BenchmarkNodes has two nodes and so many clients on the second one, each in a process of its own. The
// CPU time of the first for each event, and of the second for each delivery, are its figures;
// with no client the second one's for each event.
func BenchmarkNodes(b *testing.B) {
	for _, clients := range []int{0, 1, 50} {
		b.Run(fmt.Sprint(clients), func(b *testing.B) {
			redis := "PARLEY_REDIS=" + brokertest.Redis(b).Addr()
			from := newChild(b, roleVariable+"=node", redis)
			to := newChild(b, roleVariable+"=node", redis)
			from.line()
			url := to.line()
			var all *child
			if clients > 0 {
				all = newChild(b, roleVariable+"=clients", "PARLEY_URL="+url, fmt.Sprint("PARLEY_COUNT=", clients))
				all.line()
			}
			begin := to.time("seen 0")
			b.ResetTimer()
			publish := from.time("%d r", b.N)
			if all != nil {
				all.ask("%d", b.N-1)
			}
			deliver := to.time("seen %d", b.N) - begin
			b.StopTimer()
			each := float64(b.N * max(clients, 1))
			b.ReportMetric(float64(publish.Nanoseconds())/1e3/float64(b.N), "cpu-us/publish")
			b.ReportMetric(float64(deliver.Nanoseconds())/1e3/each, "cpu-us/delivery")
		})
	}
}
