package redislink

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A pretender is a server in memory: dial connects to it, and serve has each connection.
type pretender struct {
	dials atomic.Int32
	serve func(net.Conn)
}

func (p *pretender) dial(context.Context) (net.Conn, error) {
	p.dials.Add(1)
	near, far := net.Pipe()
	go p.serve(far)
	return near, nil
}

// obey reads commands until the connection ends. f has each of their words.
func obey(c net.Conn, f func(word string)) {
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if text := lines.Text(); text[0] != '*' && text[0] != '$' {
			f(text)
		}
	}
	c.Close()
}

// A subscription on which nothing comes is probed after 30 s, and given up if nothing
// comes then: the server may be one to which nobody publishes.
func TestUnheard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pretender{serve: func(c net.Conn) { obey(c, func(string) {}) }}
		begin := time.Now()
		probes, unheard := make(chan time.Duration, 9), make(chan time.Duration, 9)
		s := &station{t: t, lost: make(chan struct{}, 100)}
		sub := NewSubscriber(SubscriberOptions{
			Dial: p.dial, Handler: s, MaxMessage: 100, Logger: quiet(),
			Probe:   func() { probes <- time.Since(begin) },
			Unheard: func() { unheard <- time.Since(begin) },
		})
		sub.Subscribe("a")
		<-s.lost
		if probed, over := <-probes, <-unheard; len(probes)+len(unheard) > 0 || over > 45*time.Second || over-probed != tick {
			t.Errorf("probed after %v, given up after %v", probed, over)
		}
		time.Sleep(time.Second) // of the bubble: until it has dialed again
		synctest.Wait()
		if p.dials.Load() != 2 {
			t.Errorf("%d connections", p.dials.Load())
		}
		sub.Close()
	})
}

// One on which something comes is left alone.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pretender{}
		conns := make(chan net.Conn, 1)
		p.serve = func(c net.Conn) { conns <- c; obey(c, func(string) {}) }
		s := &station{t: t, lost: make(chan struct{}, 100)}
		sub := NewSubscriber(SubscriberOptions{
			Dial: p.dial, Handler: s, MaxMessage: 100, Logger: quiet(),
			Probe: func() {
				conn := <-conns
				io.WriteString(conn, "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n")
				conns <- conn
			},
			Unheard: func() { t.Error("given up") },
		})
		time.Sleep(10 * time.Minute)
		if p.dials.Load() != 1 {
			t.Errorf("%d connections", p.dials.Load())
		}
		sub.Close()
	})
}

// What breaks the protocol ends the connection, and is not obeyed.
func TestRepliesRefused(t *testing.T) {
	for _, reply := range []string{
		"x\r\n", "\r\n", "*1\r\n$7\r\nmessage\r\n", "*3\r\n$7\r\nmessage\r\n$-1\r\n", "*3\r\n$7\r\nmessage\r\n$9999999999\r\n",
		"*3\r\n:1\r\n", "*x\r\n", "$5000\r\n", "-ERR no\r\n", "*2\r\n$4\r\npong\r\n$99999\r\n", strings.Repeat("x", 100_000),
		"*3\r\n$7\r\nunknown\r\n$1\r\na\r\n$1\r\nb\r\n", "+OK\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			p := &pretender{serve: func(c net.Conn) {
				go io.WriteString(c, reply)
				obey(c, func(string) {})
			}}
			s := &station{t: t, lost: make(chan struct{}, 1000)}
			sub := NewSubscriber(SubscriberOptions{Dial: p.dial, Handler: s, MaxMessage: 100, Probe: func() {}, Unheard: func() {}, Logger: quiet()})
			begin := time.Now()
			<-s.lost
			if time.Since(begin) > time.Second {
				t.Errorf("%.40q: %v", reply, time.Since(begin))
			}
			sub.Close()
		})
	}
}

// A publisher whose commands are not answered gives the connection up after 15 to 20 s. What was
// sent is dropped, not sent again; what follows leaves on the next one.
func TestStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var words []string
		p := &pretender{}
		p.serve = func(c net.Conn) {
			silent := p.dials.Load() == 1
			obey(c, func(word string) {
				if word == "PING" {
					io.WriteString(c, "+PONG\r\n")
					return
				}
				mu.Lock()
				words = append(words, word)
				mu.Unlock()
				if !silent && (word == "2" || word == "3") {
					io.WriteString(c, ":1\r\n")
				}
			})
		}
		pub := NewPublisher(p.dial, 1000, quiet())
		begin := time.Now()
		pub.Send(AppendPublish(nil, []byte("1"), "a"))
		if err := pub.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d < 10*time.Second || d > 20*time.Second {
			t.Errorf("given up after %v", d)
		}
		pub.Send(AppendPublish(nil, []byte("2"), "a", "b"))
		pub.Flush(t.Context())
		time.Sleep(10 * time.Minute) // it stays, and is probed
		pub.Send(AppendPublish(nil, []byte("3"), "a"))
		pub.Flush(t.Context())
		mu.Lock()
		defer mu.Unlock()
		if got := strings.Join(words, " "); got != "PUBLISH a 1 PUBLISH ab 2 PUBLISH a 3" {
			t.Errorf("the server got %q", got)
		}
		if sent, dropped := pub.Counts(); sent != 2 || dropped != 1 || p.dials.Load() != 2 {
			t.Errorf("sent %d, dropped %d, %d connections", sent, dropped, p.dials.Load())
		}
		pub.Close(t.Context())
	})
}

// What the broker refuses counts as dropped.
func TestPublishRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pretender{serve: func(c net.Conn) {
			obey(c, func(word string) {
				switch word {
				case "1":
					io.WriteString(c, "-NOPERM\r\n")
				case "2":
					io.WriteString(c, "$3\r\n1-1\r\n") // as XADD does
				}
			})
		}}
		pub := NewPublisher(p.dial, 1000, quiet())
		pub.Send(AppendPublish(nil, []byte("1"), "a"))
		pub.Send(AppendPublish(nil, []byte("2"), "a"))
		pub.Flush(t.Context())
		if sent, dropped := pub.Counts(); sent != 1 || dropped != 1 {
			t.Errorf("sent %d, dropped %d", sent, dropped)
		}
		if err := pub.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// What was not written at all is for the next connection.
func TestUnsent(t *testing.T) {
	b := AppendPublish(nil, []byte("one"), "a")
	first := len(b)
	b = AppendPublish(b, []byte("two\r\n*3\r\n"), "b")
	second := len(b)
	b = AppendPublish(b, nil, "c")
	for sent := range len(b) + 1 {
		rest, before := unsent(b, sent)
		want, n := len(b), 3
		switch {
		case sent == 0:
			want, n = 0, 0
		case sent <= first:
			want, n = first, 1
		case sent <= second:
			want, n = second, 2
		}
		if len(b)-len(rest) != want || before != n {
			t.Errorf("of %d bytes sent: %d commands, %d bytes", sent, before, len(b)-len(rest))
		}
	}
}

// Dialing that fails is tried again, less and less often, at least once a second.
func TestBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries atomic.Int32
		fail := func(context.Context) (net.Conn, error) { tries.Add(1); return nil, errors.New("away") }
		pub := NewPublisher(fail, 1000, quiet())
		time.Sleep(time.Minute)
		if n := tries.Load(); n < 60 || n > 130 {
			t.Errorf("%d tries in a minute", n)
		}
		pub.Close(t.Context())
	})
}
