package wstest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/internal/octetwise"
	"github.com/parleyws/parley/internal/pipe"
)

// twoPeers returns two Peers that talk to each other.
func twoPeers(t testing.TB) (server, client *Peer) {
	s, c := pipe.New()
	return NewPeer(t, octetwise.New(s), conn.RoleServer), NewPeer(t, c, conn.RoleClient)
}

// Want accepts every kind of frame that Send sends, in both roles.
func TestFrames(t *testing.T) {
	frames := []Frame{
		Text("hello"), Binary([]byte{0, 1}), Binary(nil), Text("a").More(), Cont("b"),
		Ping("p"), Pong("q"), Close(1000, "bye"), Close(frame.StatusNoStatus, ""),
		Text("r").Rsv(1).Rsv(2).Rsv(3), Text("d").Deflated(), newFrame(0xF, nil), Text(strings.Repeat("x", 126)),
	}
	s, c := twoPeers(t)
	go s.Send(slices.Clone(frames)...)
	c.Want(frames...)
	c.Send(slices.Clone(frames)...)
	s.Want(frames...)
}

// A payload whose length takes the longest form.
func TestLongFrame(t *testing.T) {
	a, b := pipe.New()
	s, c := NewPeer(t, a, conn.RoleServer), NewPeer(t, b, conn.RoleClient)
	long := Text(strings.Repeat("x", 1<<16))
	c.Send(long)
	s.Want(long)
}

// Masking follows the role, and a client takes a new key for each frame.
func TestMasking(t *testing.T) {
	s, c := twoPeers(t)
	c.Send(Text("a"), Text("a"))
	s.Send(Text("a"))
	first, err1 := s.Next()
	second, err2 := s.Next()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if !first.Header.Masked || first.Header.MaskKey == second.Header.MaskKey {
		t.Errorf("keys %x, %x, want two different ones", first.Header.MaskKey, second.Header.MaskKey)
	}
	if f, err := c.Next(); err != nil || f.Header.Masked {
		t.Errorf("masked is %t, %v, want an unmasked frame from a server", f.Header.Masked, err)
	}
}

func TestMessages(t *testing.T) {
	s, c := twoPeers(t)
	hello := Text(strings.Repeat("hello ", 100)).Deflated()
	if n := len(hello.Payload); n > 30 || !hello.Header.Rsv1 {
		t.Errorf("deflated to %d bytes, %v", n, hello)
	}
	first := Frame{hello.Header, hello.Payload[:3]}.More()
	s.Send(Text("hel").More(), Cont("").More(), Cont("lo"), first, Cont(string(hello.Payload[3:])))
	c.WantMessage(frame.Text, []byte("hello"))
	c.WantMessage(frame.Text, []byte(strings.Repeat("hello ", 100)))
	s.Send(Close(1001, "away"))
	if reason := c.WantClose(1001); reason != "away" {
		t.Errorf("reason %q", reason)
	}
	s.CloseWrite()
	c.WantEOF()
	c.Close()
	s.WantEOF()
}

// A message may refer to an earlier one (RFC 7692, section 7.2.3.2).
func TestContextTakeover(t *testing.T) {
	s, c := twoPeers(t)
	s.SendBytes([]byte("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00" + "\xc1\x05\xf2\x00\x11\x00\x00"))
	c.WantMessage(frame.Text, []byte("Hello"))
	c.WantMessage(frame.Text, []byte("Hello"))
}

func TestSendAsIs(t *testing.T) {
	s, c := twoPeers(t)
	f := Text("Hello") // RFC 6455, section 5.7
	f.Header.Masked, f.Header.MaskKey = true, [4]byte{0x37, 0xfa, 0x21, 0x3d}
	c.SendAsIs(f)
	f.Header.Masked, f.Header.Length = false, 1<<40
	c.SendAsIs(f)
	c.Close()
	got, _ := io.ReadAll(s.NetConn())
	want := "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58" + "\x81\x7f\x00\x00\x01\x00\x00\x00\x00\x00Hello"
	if string(got) != want {
		t.Errorf("sent % x, want % x", got, want)
	}
}

// Next returns an error for bytes that no peer may send.
func TestNextErrors(t *testing.T) {
	tests := []struct {
		name string
		wire string // from a server
		want string
	}{
		{"masked", "\x81\x81\x00\x00\x00\x00a", "masked is true"},
		{"length form", "\x81\x7e\x00\x01a", "shortest form"},
		{"cut in a header", "\x81", "unexpected EOF"},
		{"cut in a payload", "\x81\x02a", "unexpected EOF"},
		{"end", "", "EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, c := twoPeers(t)
			s.SendBytes([]byte(tt.wire))
			s.Close()
			if f, err := c.Next(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want an error with %q", f, err, tt.want)
			}
		})
	}
}

// A step of a script that does not get what it wants fails the test.
func TestScriptFails(t *testing.T) {
	tests := []struct {
		name string
		send []Frame
		step func(*Peer)
		want string // a part of the failure's message; "" if the step succeeds
	}{
		{"frame", []Frame{Text("a")}, func(p *Peer) { p.Want(Text("a")) }, ""},
		{"other payload", []Frame{Text("a")}, func(p *Peer) { p.Want(Text("b")) }, `got text "a", want text "b"`},
		{"other opcode", []Frame{Ping("a")}, func(p *Peer) { p.Want(Pong("a")) }, `got ping "a", want pong "a"`},
		{"other bits", []Frame{Text("a").More().Rsv(1).Rsv(2).Rsv(3)}, func(p *Peer) { p.Want(Text("a")) }, `got text more rsv1 rsv2 rsv3 "a"`},
		{"frame, but EOF", nil, func(p *Peer) { p.Want(Text("a")) }, "got EOF"},
		{"message", []Frame{Text("a").More(), Ping("")}, func(p *Peer) { p.WantMessage(frame.Text, nil) }, "within a message"},
		{"message, but control", []Frame{Ping("")}, func(p *Peer) { p.WantMessage(frame.Text, nil) }, "got ping"},
		{"message, but EOF", []Frame{Text("a").More()}, func(p *Peer) { p.WantMessage(frame.Text, nil) }, "got EOF"},
		{"other message", []Frame{Text("a")}, func(p *Peer) { p.WantMessage(frame.Binary, []byte("a")) }, "want binary"},
		{"bad deflate", []Frame{Text("\xFF").Rsv(1)}, func(p *Peer) { p.WantMessage(frame.Text, nil) }, "inflate"},
		{"close", []Frame{Close(1002, "x")}, func(p *Peer) { p.WantClose(1007) }, `got close 1002 protocol error "x"`},
		{"close, bad payload", []Frame{newFrame(frame.Close, []byte{1})}, func(p *Peer) { p.WantClose(1000) }, `got close "\x01"`},
		{"close, but text", []Frame{Text("a")}, func(p *Peer) { p.WantClose(1000) }, `got text`},
		{"close, but EOF", nil, func(p *Peer) { p.WantClose(1000) }, "got EOF"},
		{"EOF, but more", []Frame{Text(strings.Repeat("a", 100))}, func(p *Peer) { p.WantEOF() }, "(100 bytes), want EOF"},
		{"EOF, but cut", []Frame{{Header: frame.Header{Length: 5}}}, func(p *Peer) { p.WantEOF() }, "unexpected EOF"},
		{"silence, but EOF", nil, func(p *Peer) { p.WantSilence(time.Second) }, "got EOF"},
		{"silence, but more", []Frame{Text("a")}, func(p *Peer) { p.WantSilence(time.Second) }, "want nothing for 1s"},
		{"send", nil, func(p *Peer) { p.Send(Text("a")) }, "closed pipe"},
		{"half-close", nil, func(p *Peer) { p.CloseWrite(); p.CloseWrite() }, "half-close"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, c := twoPeers(t)
			s.SendAsIs(tt.send...)
			s.Close()
			switch got := c.outcome(tt.step); {
			case tt.want == "" && got != "":
				t.Errorf("failed: %s", got)
			case !strings.Contains(got, tt.want):
				t.Errorf("got %q, want a failure with %q", got, tt.want)
			}
		})
	}
}

// outcome returns the message with which a step of a script fails, or "" if it
// succeeds.
func (p *Peer) outcome(step func(*Peer)) string {
	tb := &fatalTB{TB: p.tb}
	p.tb = tb
	done := make(chan struct{})
	go func() {
		defer close(done)
		step(p)
	}()
	<-done
	return tb.message
}

// A fatalTB records the message of a failure and does not fail its test.
type fatalTB struct {
	testing.TB
	message string
}

func (tb *fatalTB) Fatalf(format string, args ...any) {
	tb.message = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// A timeout comes at its exact time and loses no byte.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := twoPeers(t)
		start := time.Now()
		c.WantSilence(3 * time.Second)
		s.SendBytes([]byte("\x81\x02a"))
		c.Timeout = 4 * time.Second
		if _, err := c.Next(); !isTimeout(err) {
			t.Errorf("got %v, want a timeout", err)
		}
		if d := time.Since(start); d != 7*time.Second {
			t.Errorf("took %v, want 7s", d)
		}
		s.SendBytes([]byte("b"))
		c.Want(Text("ab"))

		c.Timeout = 0
		go func() {
			<-time.After(time.Hour)
			s.Send(Text("late"))
		}()
		c.Want(Text("late"))
	})
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return ok && ne.Timeout()
}

func TestRsvPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	Text("").Rsv(4)
}
