//go:build unix

package redisstreams

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
	"github.com/parleyws/parley/socketio"
	"github.com/redis/go-redis/v9"
)

func init() {
	roles["keeper"] = func() { beKeeper(os.Getenv("PARLEY_REDIS"), os.Getenv("PARLEY_RECOVERY") != "") }
	roles["clients"] = func() { beClients(os.Getenv("PARLEY_URL"), os.Getenv("PARLEY_COUNT")) }
}

// cpu returns the CPU time of the process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// beClients is so many clients of a node. It says when all have joined, and ends with its input.
func beClients(url, count string) {
	n := must(strconv.Atoi(count))
	joined := make(chan struct{}, n)
	for range n {
		must(socketio.Dial(context.Background(), url, &socketio.DialOptions{Setup: func(c *socketio.Client) {
			socketio.On(c, "joined", func(context.Context, any) error { joined <- struct{}{}; return nil })
		}}))
	}
	for range n {
		<-joined
	}
	fmt.Println("joined")
	io.Copy(io.Discard, os.Stdin)
}

// beKeeper is a node that keeps sessions, or not: for each line "N" it changes a room of each
// client N times, and says what CPU time that took, once all is in Redis.
func beKeeper(addr string, survive bool) {
	streams := must(New(redis.NewClient(&redis.Options{Addr: addr}), &Options{SurviveKill: survive}))
	server := must(socketio.NewServer(&socketio.Options{Adapter: streams.Adapter, Recovery: &socketio.Recovery{}}))
	var mu sync.Mutex
	var sockets []*socketio.Socket
	server.OnConnect(func(s *socketio.Socket) {
		s.Join("r", "another room")
		s.Set("name", "Ann Example")
		s.Set("user", 12345)
		mu.Lock()
		sockets = append(sockets, s)
		mu.Unlock()
		s.Emit("joined")
	})
	site := httptest.NewServer(server)
	if err := streams.Ready(context.Background()); err != nil {
		panic(err)
	}
	fmt.Println(site.URL)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var n int
		fmt.Sscan(in.Text(), &n)
		mu.Lock()
		list := sockets
		mu.Unlock()
		begin := cpu()
		for i := range n {
			since := time.Now()
			for _, s := range list {
				s.Leave(strconv.Itoa(i))
				s.Join(strconv.Itoa(i + 1))
			}
			for survive && !allWritten((&node{streams: streams}).log().lives, since) {
				<-time.After(5 * time.Millisecond)
			}
		}
		fmt.Println(int64(cpu() - begin))
	}
}

// allWritten reports whether all sessions were written after a time.
func allWritten(k *lives, since time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, x := range k.of {
		if x.next != nothingToDo || x.tried.Before(since) {
			return false
		}
	}
	return true
}

// BenchmarkSurviveKill changes a room of each of 1,000 clients, which are in another
// process, with and without the option. Its figures are the CPU time of the node, and of
// Redis, for a change, and the memory of Redis for a session.
func BenchmarkSurviveKill(b *testing.B) {
	const clients = 1000
	for _, survive := range []bool{false, true} {
		b.Run(fmt.Sprint(survive), func(b *testing.B) {
			server := brokertest.Redis(b)
			client := connect(b, server.Addr())
			memory := info(b, client, "used_memory:")
			n := runProcess(b, roleVariable+"=keeper", "PARLEY_REDIS="+server.Addr(), "PARLEY_RECOVERY="+map[bool]string{true: "kill"}[survive])
			runProcess(b, roleVariable+"=clients", "PARLEY_URL="+n.line(), fmt.Sprint("PARLEY_COUNT=", clients)).line()
			change := func(times int) time.Duration {
				n.tell("%d", times)
				return time.Duration(must(strconv.ParseInt(n.line(), 10, 64)))
			}
			change(1)
			memory = info(b, client, "used_memory:") - memory
			user, system := info(b, client, "used_cpu_user:"), info(b, client, "used_cpu_sys:")
			b.ResetTimer()
			took := change(b.N)
			b.StopTimer()
			user, system = info(b, client, "used_cpu_user:")-user, info(b, client, "used_cpu_sys:")-system
			changes := float64(b.N) * clients
			b.ReportMetric(float64(took.Nanoseconds())/1e3/changes, "cpu-us/change")
			b.ReportMetric((user+system)*1e6/changes, "redis-us/change")
			b.ReportMetric(memory/clients, "redis-B/session")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// info returns a figure of Redis.
func info(b *testing.B, client redis.UniversalClient, name string) float64 {
	b.Helper()
	text, err := client.Info(context.Background()).Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil {
				b.Fatal(err)
			}
			return f
		}
	}
	b.Fatal("no", name)
	return 0
}
