package natsadapter_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// raw is a connection with a NATS server.
type raw struct {
	net.Conn
	in *bufio.Reader
}

func newRaw(b *testing.B, server *process) raw {
	b.Helper()
	u, err := url.Parse(server.url)
	if err != nil {
		b.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	r := raw{c, bufio.NewReader(c)}
	if _, err := r.in.ReadString('\n'); err != nil { // INFO
		b.Fatal(err)
	}
	r.send(b, []byte("CONNECT {\"verbose\":false,\"pedantic\":false}\r\n"))
	r.flush(b)
	return r
}

func (r raw) send(b *testing.B, p []byte) {
	b.Helper()
	if _, err := r.Write(p); err != nil {
		b.Fatal(err)
	}
}

// flush waits until the server has done what was sent.
func (r raw) flush(b *testing.B) {
	b.Helper()
	r.send(b, []byte("PING\r\n"))
	if line, err := r.in.ReadString('\n'); err != nil || line != "PONG\r\n" {
		b.Fatalf("%q, %v", line, err)
	}
}

// cpu is the processor time of the process.
func (p *process) cpu() (sum time.Duration) {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.cmd.Process.Pid))
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		var ran int64
		fmt.Sscan(string(text), &ran)
		sum += time.Duration(ran)
	}
	return sum
}

// resident is the memory of the process, in bytes.
func (p *process) resident() float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	var size, pages int
	fmt.Sscan(string(text), &size, &pages)
	return float64(pages * os.Getpagesize())
}

// BenchmarkServer is what an event costs the NATS server, in its own processor time, with so
// many nodes that have members of its room. Events come 50 at a time, as they do under load, or one by one.
func BenchmarkServer(b *testing.B) {
	for _, nodes := range []int{0, 1, 10, 100} {
		b.Run(fmt.Sprintf("nodes=%d", nodes), func(b *testing.B) { load(b, nodes, 50) })
	}
	b.Run("nodes=10/alone", func(b *testing.B) { load(b, 10, 1) })
}

func load(b *testing.B, nodes, together int) {
	const subject = "parley.room.Lw.cm9vbQ"
	payload := strings.Repeat("x", 150)
	size := len(fmt.Sprintf("MSG %s 1 %d\r\n%s\r\n", subject, len(payload), payload))
	server := fork(b, "server -1")
	var events []chan int
	for range nodes {
		r := newRaw(b, server)
		r.send(b, []byte("SUB "+subject+" 1\r\n"))
		r.flush(b)
		got := make(chan int, together)
		events = append(events, got)
		go func() {
			defer close(got)
			buf := make([]byte, 1<<16)
			for read := 0; ; read %= size {
				n, err := r.in.Read(buf)
				if err != nil {
					return
				}
				read += n
				got <- read / size
			}
		}()
	}
	out, one := newRaw(b, server), fmt.Appendf(nil, "PUB %s %d\r\n%s\r\n", subject, len(payload), payload)
	begin := server.cpu()
	for sent := 0; sent < b.N; {
		n := min(together, b.N-sent)
		out.send(b, bytes.Repeat(one, n))
		if nodes == 0 {
			out.flush(b)
		}
		for _, got := range events {
			for missing := n; missing > 0; {
				events, ok := <-got
				if !ok {
					b.Fatal("a reader has ended")
				}
				missing -= events
			}
		}
		sent += n
	}
	b.ReportMetric(float64((server.cpu()-begin).Nanoseconds())/1e3/float64(b.N), "nats-cpu-us/event")
}

// BenchmarkSubscriptions is what a subscription to a room takes of the NATS server's memory: of
// a subject that nobody else has, and of one that other nodes have already; and of its
// processor time.
func BenchmarkSubscriptions(b *testing.B) {
	const rooms, nodes = 50_000, 10
	server := fork(b, "server -1")
	before, first, begin := server.resident(), 0.0, server.cpu()
	for n := range nodes {
		r := newRaw(b, server)
		var all []byte
		for i := range rooms {
			all = fmt.Appendf(all, "SUB parley.room.Lw.room-%d %d\r\n", i, i)
		}
		r.send(b, all)
		r.flush(b)
		if n == 0 {
			first = (server.resident() - before) / rooms
			before = server.resident()
		}
	}
	for b.Loop() { // it is done once
	}
	b.ReportMetric(first, "B/first")
	b.ReportMetric(float64((server.cpu()-begin).Nanoseconds())/1e3/(rooms*nodes), "nats-cpu-us/subscription")
	b.ReportMetric((server.resident()-before)/rooms/(nodes-1), "B/further")
}
