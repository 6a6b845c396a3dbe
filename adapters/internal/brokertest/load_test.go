package brokertest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
)

// payload is as long as an event with a short text in the formats of the adapters.
var payload = strings.Repeat("x", 150)

const channel, pattern = "socket.io#/#room#", "socket.io#/#*"

// A way is how an adapter sends an event by Redis: the command that subscribes a node, the
// one that publishes, and what each node gets. Streams are read instead.
type way struct {
	name                    string
	subscribe, publish, get []string
}

var ways = []way{
	{"exact", []string{"SUBSCRIBE", channel}, []string{"PUBLISH", channel, payload}, []string{"message", channel, payload}},
	{"pattern", []string{"PSUBSCRIBE", pattern}, []string{"PUBLISH", channel, payload}, []string{"pmessage", pattern, channel, payload}},
	{"sharded", []string{"SSUBSCRIBE", channel}, []string{"SPUBLISH", channel, payload}, []string{"smessage", channel, payload}},
	{"streams", nil, []string{
		"XADD", "socket.io", "MAXLEN", "~", "10000", "*", "uid", "0123456789abcdef", "nsp", "/", "type", "3", "data", payload,
	}, nil},
}

// BenchmarkRedis is what an event costs the Redis server, in its own processor time, with so
// many nodes that read it. Events come 50 at a time, as they do under load, or one by one.
func BenchmarkRedis(b *testing.B) {
	for _, w := range ways {
		for _, nodes := range []int{0, 1, 10, 100} {
			b.Run(fmt.Sprintf("%s/nodes=%d", w.name, nodes), func(b *testing.B) { load(b, w, nodes, 50) })
		}
		b.Run(w.name+"/nodes=10/alone", func(b *testing.B) { load(b, w, 10, 1) })
	}
}

// load publishes b.N events, so many at a time, and waits each time until all nodes have them.
func load(b *testing.B, w way, nodes, together int) {
	s := Redis(b)
	var readers []*reader
	for range nodes {
		r := &reader{link: newLink(b, s), events: make(chan int, together)}
		if w.subscribe != nil {
			r.ask(b, w.subscribe)
			go r.count(len(words(w.get)))
		} else {
			go r.stream()
		}
		readers = append(readers, r)
	}
	out, one := newLink(b, s), words(w.publish)
	begin := cpu(b, s)
	for sent := 0; sent < b.N; {
		n := min(together, b.N-sent)
		if _, err := out.Write(bytes.Repeat(one, n)); err != nil {
			b.Fatal(err)
		}
		for range n {
			if _, err := reply(out.in); err != nil {
				b.Fatal(err)
			}
		}
		for _, r := range readers {
			for missing := n; missing > 0; {
				events, ok := <-r.events
				if !ok {
					b.Fatal("a reader has ended")
				}
				missing -= events
			}
		}
		sent += n
	}
	b.ReportMetric((cpu(b, s)-begin)*1e6/float64(b.N), "redis-cpu-us/event")
}

// cpu returns the processor time that a server has taken, in seconds.
func cpu(b *testing.B, s *Server) (sum float64) {
	b.Helper()
	for _, name := range []string{"used_cpu_sys", "used_cpu_user"} {
		sum += info(b, s, "cpu", name)
	}
	return sum
}

// info returns a number of what INFO says.
func info(b *testing.B, s *Server, section, name string) float64 {
	b.Helper()
	answer, err := s.Do("INFO", section)
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(answer.(string), name+":")
	text, _, _ := strings.Cut(rest, "\r\n")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

// words returns a command, or a message of a subscription, on the wire.
func words(list []string) []byte {
	b := fmt.Appendf(nil, "*%d\r\n", len(list))
	for _, word := range list {
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(word), word)
	}
	return b
}

// A link is a connection with Redis.
type link struct {
	net.Conn
	in *bufio.Reader
}

func newLink(b *testing.B, s *Server) link {
	b.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return link{c, bufio.NewReaderSize(c, 1<<16)}
}

// ask sends a command and returns the reply.
func (l link) ask(b *testing.B, command []string) any {
	b.Helper()
	if _, err := l.Write(words(command)); err != nil {
		b.Fatal(err)
	}
	answer, err := reply(l.in)
	if err != nil {
		b.Fatal(err)
	}
	return answer
}

// A reader is the connection of a node, and says how many events have come.
type reader struct {
	link
	events chan int
}

// count counts messages of a size, until the connection ends.
func (r *reader) count(size int) {
	defer close(r.events)
	buf := make([]byte, 1<<16)
	for read := 0; ; read %= size {
		n, err := r.in.Read(buf)
		if err != nil {
			return
		}
		read += n
		r.events <- read / size
	}
}

// stream reads the stream from its beginning on, as a node does.
func (r *reader) stream() {
	defer close(r.events)
	for last := "0-0"; ; {
		_, err := r.Write(words([]string{"XREAD", "COUNT", "100", "BLOCK", "0", "STREAMS", "socket.io", last}))
		if err != nil {
			return
		}
		answer, err := reply(r.in)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				panic(err)
			}
			return
		}
		entries := answer.([]any)[0].([]any)[1].([]any)
		last = entries[len(entries)-1].([]any)[0].(string)
		r.events <- len(entries)
	}
}

// BenchmarkSubscriptions is what a subscription to a room takes of the Redis server's memory: of
// a channel that nobody else has, and of one that other nodes have already; and of its
// processor time.
func BenchmarkSubscriptions(b *testing.B) {
	const rooms, together, nodes = 50_000, 500, 10
	s := Redis(b)
	used := func() float64 { return info(b, s, "memory", "used_memory") }
	before, first, begin := used(), 0.0, cpu(b, s)
	for n := range nodes {
		l := newLink(b, s)
		for i := 0; i < rooms; i += together {
			command := []string{"SUBSCRIBE"}
			for room := range together {
				command = append(command, fmt.Sprintf("socket.io#/#room %d#", i+room))
			}
			l.ask(b, command)
			for range together - 1 {
				if _, err := reply(l.in); err != nil {
					b.Fatal(err)
				}
			}
		}
		if n == 0 {
			first = (used() - before) / rooms
			before = used()
		}
	}
	for b.Loop() { // it is done once
	}
	b.ReportMetric(first, "B/first")
	b.ReportMetric((cpu(b, s)-begin)*1e6/(rooms*nodes), "redis-cpu-us/subscription")
	b.ReportMetric((used()-before)/rooms/(nodes-1), "B/further")
}
