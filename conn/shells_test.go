package conn_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

var (
	scriptsFlag = flag.Int("scripts", 0, "how many scripts to play on a loop and on goroutines; 0 is as many as take a second or two")
	scriptFlag  = flag.Uint64("script", 0, "the seed of the one script to play")
)

// Whatever comes, a connection of a loop answers with the same bytes as one that has a
// goroutine, hands the same messages to its handler, and ends for the same reason.
func TestShellsAreAlike(t *testing.T) {
	first, last := uint64(1), uint64(2000)
	switch {
	case *scriptFlag != 0:
		first, last = *scriptFlag, *scriptFlag
	case *scriptsFlag != 0:
		last = uint64(*scriptsFlag)
	case testing.Short() || conn.RaceEnabled:
		last = 300
	}
	var next atomic.Uint64
	next.Store(first - 1)
	var failed, heard atomic.Int64
	var players sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		players.Go(func() {
			for failed.Load() < 5 {
				seed := next.Add(1)
				if seed > last {
					return
				}
				s := newShellScript(seed)
				alone, looped := s.play(t, &conn.Loop{After: -1}), s.play(t, &conn.Loop{})
				if difference := s.differ(alone, looped); difference != "" {
					failed.Add(1)
					t.Errorf("seed %d: %s\n%v", seed, difference, s)
				}
				heard.Add(int64(len(alone.heard)))
			}
		})
	}
	players.Wait()
	t.Logf("%d scripts, %d bytes of messages", last+1-first, heard.Load())
}

// A shellPlay is what came of a script.
type shellPlay struct {
	heard []byte        // the messages of the handler
	sent  []byte        // by the server
	err   error         // the end that Receive tells of
	ended time.Duration // when it does
	over  time.Duration // when the server has closed the stream
}

// play plays s once, in a bubble.
func (s *shellScript) play(t *testing.T, loop *conn.Loop) (p *shellPlay) {
	p = &shellPlay{}
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := pipe.NewSize(s.size)
		start := time.Now()
		o := s.options
		o.Loop = loop
		c := must(conn.New(&handshake.Result{Conn: ours, Deflate: s.deflate}, conn.RoleServer, &o))
		var others sync.WaitGroup
		others.Go(func() { p.read(theirs, s.pause) })
		ended := make(chan error, 1)
		conn.Receive(c, s.handler(c, p), func(err error) { ended <- err })
		others.Go(func() { s.send(theirs) })
		p.err = <-ended
		p.ended = time.Since(start)
		c.Close(frame.StatusInternalError, "")
		<-c.Done()
		p.over = time.Since(start)
		others.Wait()
		theirs.Close()
	})
	return p
}

// read takes what the server sends.
func (p *shellPlay) read(nc net.Conn, pause time.Duration) {
	buf := make([]byte, 32<<10)
	for {
		n, err := nc.Read(buf)
		p.sent = append(p.sent, buf[:n]...)
		if err != nil {
			return
		}
		if pause > 0 {
			<-time.After(pause)
		}
	}
}

// send plays the client.
func (s *shellScript) send(nc net.Conn) {
	for _, p := range s.pieces {
		switch {
		case p.wait < 0:
			settle()
		case p.wait > 0:
			<-time.After(p.wait)
		}
		if _, err := nc.Write(p.b); err != nil {
			return
		}
	}
	<-time.After(10 * time.Second) // all that is to be sent is read
	if s.cut {
		nc.Close()
	} else {
		nc.(interface{ CloseWrite() error }).CloseWrite()
	}
}

// settle waits until nothing moves.
func settle() { <-time.After(time.Nanosecond) }

var errOfHandler = errors.New("no more")

// handler returns what is called with the messages.
func (s *shellScript) handler(c *conn.Conn, p *shellPlay) func(conn.Message) error {
	n := -1
	ctx := context.Background()
	return func(m conn.Message) error {
		n++
		p.heard = strconv.AppendBool(append(p.heard, m.Payload...), bool(m.Type))
		if n == s.at || n > s.at && (s.act == actSend || s.act == actFragment) {
			switch s.act {
			case actSend:
				return c.Send(conn.NewPrepared(m.Type, bytes.Clone(m.Payload)))
			case actFragment:
				w, err := c.Writer(ctx, m.Type)
				if err != nil {
					return err
				}
				for b := m.Payload; len(b) > 0; {
					part := b[:min(len(b), 40_000)]
					if _, err := w.Write(part); err != nil {
						return err
					}
					b = b[len(part):]
				}
				return w.Close()
			case actFail:
				return errOfHandler
			case actPanic:
				panic(errOfHandler)
			case actClose:
				c.Close(4000, "enough")
				return nil
			case actCloseNow:
				return c.CloseNow()
			case actWait:
				<-time.After(time.Second)
			}
		}
		return c.Write(ctx, m.Type, m.Payload)
	}
}

// differ says what is different of a play on a goroutine and one on a loop; "" if nothing
// is. Times may differ: what a slow client has not read keeps a handler on a goroutine waiting,
// and a message gets more time for what comes after it has been waited for, which depends
// on what a read has taken at once. A rule that is broken after we have closed is found if
// it was read before, and ends the wait for the client.
func (s *shellScript) differ(p, q *shellPlay) string {
	inexact := 2 * time.Second
	for _, p := range s.pieces {
		inexact += time.Duration(len(p.b)) * time.Second / 1024
	}
	sent, other := p.sent, q.sent
	if s.act == actCloseNow { // what had not gone out yet is lost
		sent, other = sent[:min(len(sent), len(other))], other[:min(len(sent), len(other))]
	}
	switch {
	case !bytes.Equal(sent, other):
		n := 0 // bytes that are alike
		for n < min(len(sent), len(other)) && sent[n] == other[n] {
			n++
		}
		return fmt.Sprintf("sent %d bytes on a goroutine and %d on a loop, which differ after %d: %.50x and %.50x", len(sent), len(other), n, sent[n:], other[n:])
	case !bytes.Equal(p.heard, q.heard):
		return fmt.Sprintf("handled on a goroutine %.200q, on a loop %.200q", p.heard, q.heard)
	case reason(p.err) != reason(q.err):
		return fmt.Sprintf("ended on a goroutine with %v, on a loop with %v", p.err, q.err)
	case s.pause == 0 && (p.ended-q.ended).Abs() > inexact || s.act != actClose && (p.over-q.over).Abs() > inexact:
		return fmt.Sprintf("ended on a goroutine after %v and %v, on a loop after %v and %v: %v", p.ended, p.over, q.ended, q.over, p.err)
	}
	return ""
}

// reason is the text of err, without what a stream says of itself.
func reason(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return "a stream that failed: " + op.Err.Error()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "unexpected EOF"
	}
	return fmt.Sprint(err)
}
