//go:build unix

package redisadapter_test

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
	redisadapter "github.com/parleyws/parley/adapters/redis"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

// roleVariable makes the test's program one of the processes of a benchmark: the CPU time of
// each is measured apart.
const roleVariable = "PARLEY_REDIS_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "node":
		beNode(os.Getenv("PARLEY_REDIS"), os.Getenv("PARLEY_MODE"))
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
// took; for "cpu" what all has taken. Its first line is its address.
func beNode(addr, mode string) {
	client := redis.NewClient(&redis.Options{Addr: addr})
	var broker link
	if mode == "sharded" {
		broker = must(redisadapter.NewSharded(client, nil))
	} else {
		broker = must(redisadapter.New(client, &redisadapter.Options{Pattern: mode == "pattern"}))
	}
	server := must(socketio.NewServer(&socketio.Options{Adapter: broker.Adapter}))
	serve(server.Namespace)
	site := httptest.NewServer(server)
	ctx := context.Background()
	if err := broker.Ready(ctx); err != nil {
		panic(err)
	}
	fmt.Println(site.URL)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var n int
		var room string
		begin := cpu()
		if c, _ := fmt.Sscan(in.Text(), &n, &room); c == 2 {
			for i := range n {
				if err := server.To(room).Emit("receive-message", "hello, this is a message", i); err != nil {
					panic(err)
				}
				if i%500 == 499 {
					if err := broker.Ready(ctx); err != nil {
						panic(err)
					}
				}
			}
			if err := broker.Ready(ctx); err != nil {
				panic(err)
			}
		} else {
			begin = 0
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
	for _, mode := range []string{"rooms", "pattern", "sharded"} {
		for _, clients := range []int{0, 1, 50} {
			b.Run(fmt.Sprintf("%s/%d", mode, clients), func(b *testing.B) {
				redis := "PARLEY_REDIS=" + brokertest.Redis(b).Addr()
				from := newChild(b, roleVariable+"=node", "PARLEY_MODE="+mode, redis)
				to := newChild(b, roleVariable+"=node", "PARLEY_MODE="+mode, redis)
				from.line()
				url := to.line()
				var all *child
				if clients > 0 {
					all = newChild(b, roleVariable+"=clients", "PARLEY_URL="+url, fmt.Sprint("PARLEY_COUNT=", clients))
					all.line()
				}
				begin := to.time("cpu")
				b.ResetTimer()
				publish := from.time("%d r", b.N)
				if all != nil {
					all.ask("%d", b.N-1)
				} else {
					to.time("1 nobody") // in the order of the connection, after all that came
				}
				b.StopTimer()
				deliver := to.time("cpu") - begin
				each := float64(b.N * max(clients, 1))
				b.ReportMetric(float64(publish.Nanoseconds())/1e3/float64(b.N), "cpu-us/publish")
				b.ReportMetric(float64(deliver.Nanoseconds())/1e3/each, "cpu-us/delivery")
			})
		}
	}
}
