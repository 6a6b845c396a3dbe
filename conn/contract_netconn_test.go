package conn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

// A NetConn is a stream: it has no messages, and so no limit of their size.

// netConnPiece is the greatest payload of a message that a NetConn writes.
const netConnPiece = 32 << 10

// A user writes 2 MiB at once to one NetConn, and the other one, with the
// default limits, reads all.
func TestNetConnLargeWrite(t *testing.T) {
	const size = 2 << 20
	overKinds(t, manyBytes(), func(t *testing.T, s streamCase) {
		ours, tapped, theirs := s.connect(t, 0)
		if tapped != nil {
			tapped.forget = true
		}
		a := must(conn.New(&handshake.Result{Conn: ours, Deflate: s.deflate}, s.role, nil))
		b := must(conn.New(&handshake.Result{Conn: theirs, Deflate: s.deflate}, !s.role, nil))
		defer a.CloseNow()
		defer b.CloseNow()
		for _, ends := range [][2]*conn.Conn{{a, b}, {b, a}} {
			from, to := conn.NetConn(ends[0], conn.Binary), conn.NetConn(ends[1], conn.Binary)
			want := noise(size)
			wrote := call(func() error {
				n, err := from.Write(want)
				if err == nil && n != len(want) {
					err = io.ErrShortWrite
				}
				return err
			})
			got := make([]byte, size)
			if n, err := io.ReadFull(to, got); err != nil {
				t.Fatalf("%v after %d bytes", err, n)
			}
			if !bytes.Equal(got, want) {
				t.Error("other bytes were read than were written")
			}
			wantNoError(t, <-wrote)
		}
	})
}

// manyBytes are the kinds of streams that MiBs can be sent over.
func manyBytes() []streamKind {
	return kindsThat(func(k streamKind) bool { return k.name != "pipe octet by octet" })
}

// What is written is split, so that any peer can take it.
func TestNetConnWriteIsSplit(t *testing.T) {
	overCases(t, cases(inMemory(), nil), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		nc := conn.NetConn(l.c, conn.Binary)
		want := noise(300_000)
		wrote := call(func() error { _, err := nc.Write(want); return err })
		var got []byte
		for len(got) < len(want) {
			f, err := l.p.Next()
			if err != nil {
				l.Fatal(err)
			}
			if f.Header.Opcode != frame.Binary || !f.Header.Fin || len(f.Payload) > netConnPiece {
				l.Fatalf("got %.40v of %d bytes, want a message of %d at most", f, len(f.Payload), netConnPiece)
			}
			got = append(got, f.Payload...)
		}
		if !bytes.Equal(got, want) {
			l.Error("other bytes came than were written")
		}
		wantNoError(t, await(l, "Write", wrote))
	})
}

// A peer that sends one message of 8 MiB to a NetConn is read whole, in one
// frame and in several, and what follows as well.
func TestNetConnLargeMessage(t *testing.T) {
	const size = 8 << 20
	for name, fragments := range map[string]int{"one frame": 1, "fragments": 100} {
		t.Run(name, func(t *testing.T) {
			overCases(t, cases(manyBytes(), nil), func(t *testing.T, s streamCase) {
				l := s.link(t, nil, 0)
				want := noise(size)
				rest := want // want itself is set anew below
				go func() {
					for i := range fragments {
						n := len(rest) / (fragments - i)
						f := wstest.Binary(rest[:n])
						if i > 0 {
							f = wstest.Cont(string(rest[:n]))
						}
						f.Header.Fin = i == fragments-1
						f.Header.Masked = s.role == conn.RoleServer
						l.p.NetConn().Write(f.Append(nil))
						rest = rest[n:]
					}
					more := wstest.Binary([]byte("more"))
					more.Header.Masked = s.role == conn.RoleServer
					l.p.NetConn().Write(more.Append(nil))
				}()
				want = append(bytes.Clone(want), "more"...)
				got := make([]byte, len(want))
				if n, err := io.ReadFull(conn.NetConn(l.c, conn.Binary), got); err != nil {
					l.Fatalf("%v after %d bytes", err, n)
				}
				if !bytes.Equal(got, want) {
					l.Error("other bytes were read than were sent")
				}
			})
		})
	}
}

// A Conn that is read by messages keeps its limit, before and after it has been
// read as a NetConn.
func TestNetConnLeavesTheLimit(t *testing.T) {
	overKinds(t, inMemory(), func(t *testing.T, s streamCase) {
		for _, way := range calls[:3] {
			l := s.link(t, nil, 0)
			l.p.Send(wstest.Binary([]byte("a")))
			p := make([]byte, 1)
			if _, err := io.ReadFull(conn.NetConn(l.c, conn.Binary), p); err != nil {
				l.Fatal(err)
			}
			l.p.SendAsIs(begin(s.role, 8<<20))
			err := await(l, way.name, call(func() error { return way.call(context.Background(), l.c) }))
			l.wantCause(way.name, err, brokenRule(frame.StatusMessageTooBig))
			l.p.WantClose(frame.StatusMessageTooBig)
		}
	})
}

// A Write that runs into its deadline says how much of it goes out, so that its
// user can go on behind that.
func TestNetConnWriteDeadline(t *testing.T) {
	overCases(t, cases(inMemory(), nil), func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 4<<10)
		nc := conn.NetConn(l.c, conn.Binary)
		want := noise(1 << 20)
		wantNoError(t, nc.SetWriteDeadline(time.Now().Add(time.Second)))
		n, err := nc.Write(want)
		wantError(t, err, os.ErrDeadlineExceeded)
		l.at(time.Second)
		if n >= len(want) {
			l.Fatalf("%d bytes were written, with %v", n, err)
		}
		wantNoError(t, nc.SetWriteDeadline(time.Time{}))
		wrote := call(func() error { _, err := nc.Write(want[n:]); return err })
		var got []byte
		for len(got) < len(want) {
			f, err := l.p.Next()
			if err != nil {
				l.Fatalf("%v after %d bytes", err, len(got))
			}
			got = append(got, f.Payload...)
		}
		if !bytes.Equal(got, want) {
			l.Errorf("other bytes came than were written: %d of %d, the first Write returned %d", len(got), len(want), n)
		}
		wantNoError(t, await(l, "Write", wrote))
		l.p.WantSilence(time.Second)
	})
}

// A NetConn is told the end at once, too.
func TestNetConnEnd(t *testing.T) {
	overStreams(t, func(t *testing.T, s streamCase) {
		l := s.link(t, nil, 0)
		nc := conn.NetConn(l.c, conn.Binary)
		failed := call(func() error { _, err := nc.Read(make([]byte, 1)); return err })
		l.p.Send(wstest.Close(frame.StatusGoingAway, ""))
		if err := await(l, "Read", failed); !errors.Is(err, io.EOF) {
			l.Errorf("Read = %v, want EOF", err)
		}
		l.at(0)
	})
}
