package redislink

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
)

// A counter is a Handler that checks what it is told.
type counter struct {
	t   testing.TB
	sum int
}

func (*counter) More(bool) {}
func (*counter) Flush()    {}

func (c *counter) Message(_, channel, payload []byte) { c.sum += len(channel) + len(payload) }
func (c *counter) Lost()                              {}
func (c *counter) Refused(_ []byte, size int) {
	if size <= 1000 {
		c.t.Errorf("%d bytes are too many", size)
	}
}

// A diary is a Handler that writes down what it is told.
type diary struct {
	counter
	said []string
}

func (d *diary) More(more bool)         { d.said = append(d.said, fmt.Sprint("more ", more)) }
func (d *diary) Flush()                 { d.said = append(d.said, "flush") }
func (d *diary) Message(_, _, p []byte) { d.said = append(d.said, string(p)) }

// A Handler is told whether there is more at hand, and before each read.
func TestMore(t *testing.T) {
	const a, b = "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\na\r\n", "*3\r\n$7\r\nmessage\r\n$1\r\nx\r\n$1\r\nb\r\n"
	d := &diary{counter: counter{t: t}}
	s := &Subscriber{o: SubscriberOptions{Handler: d, MaxMessage: 1000}}
	chunks := io.MultiReader(strings.NewReader(a+b), strings.NewReader(a), strings.NewReader(b+a[:5]), strings.NewReader(a[5:]))
	if err := s.read(chunks); err != io.EOF {
		t.Error(err)
	}
	want := "flush, more true, a, more false, b, flush, more false, a, flush, more true, b, flush, more false, a, flush, flush"
	if got := strings.Join(d.said, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Whatever the server sends is refused or is messages that were there in full.
func FuzzRead(f *testing.F) {
	f.Add([]byte("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n*4\r\n$8\r\npmessage\r\n$2\r\na*\r\n$1\r\na\r\n$0\r\n\r\n"))
	f.Add([]byte("*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*2\r\n$4\r\npong\r\n$1\r\n1\r\n$1\r\n2\r\n-ERR x\r\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		c := &counter{t: t}
		s := &Subscriber{o: SubscriberOptions{Handler: c, MaxMessage: 1000}}
		if err := s.read(bytes.NewReader(stream)); err == nil || c.sum > len(stream) {
			t.Errorf("%v, %d bytes of %d", err, c.sum, len(stream))
		}
	})
}

// BenchmarkSubscribe subscribes to 100,000 channels, and again after an outage.
func BenchmarkSubscribe(b *testing.B) {
	broker := brokertest.Redis(b)
	names := make([]string, 100_000)
	for i := range names {
		names[i] = fmt.Sprintf("socket.io#/#a room with the number %d#", i)
	}
	for b.Loop() {
		s := newStation(b, broker.Addr(), 1<<20)
		s.sync()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		begin := time.Now()
		s.sub.Subscribe(names...)
		s.sync()
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms")
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e5, "B/channel")
		begin = time.Now()
		s.sub.drop()
		<-s.lost
		s.sync()
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms-again")
		s.pub.Close(context.Background())
		s.sub.Close()
	}
}
