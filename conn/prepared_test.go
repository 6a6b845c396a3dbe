package conn

import (
	"bytes"
	"context"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/handshake"
)

// A recipient is a stream that takes every write and remembers the last.
type recipient struct {
	net.Conn
	writes int
	last   []byte
}

func (r *recipient) TryWrite(p []byte) (int, error) {
	r.writes, r.last = r.writes+1, p
	return len(p), nil
}

func (*recipient) SetReadDeadline(time.Time) error { return nil }

func (*recipient) Close() error { return nil }

// A countingCodec counts the messages that it compresses.
type countingCodec struct {
	flateCodec
	messages *atomic.Int32
}

func (c countingCodec) NewCompressor(bits int, takeover bool) Compressor {
	w := c.flateCodec.NewCompressor(bits, takeover)
	if w == nil {
		return nil
	}
	return &countingCompressor{w, c.messages}
}

type countingCompressor struct {
	Compressor
	messages *atomic.Int32
}

func (c *countingCompressor) Write(p []byte) (int, error) {
	c.messages.Add(1)
	return c.Compressor.Write(p)
}

// A Prepared is compressed once for each kind of window, and all recipients
// get the same octets, in one write and without an allocation.
func TestPreparedOnce(t *testing.T) {
	const each, windows = 50, 3
	o := &Options{Compression: Compression{Codec: countingCodec{messages: new(atomic.Int32)}}}
	var conns [each * windows]*Conn
	var streams [each * windows]recipient
	for i := range conns {
		agreed := &handshake.Deflate{
			ServerNoContextTakeover: true, ClientNoContextTakeover: true,
			ServerMaxWindowBits: maxWindowBits - i%windows, ClientMaxWindowBits: maxWindowBits,
		}
		conns[i] = must(New(&handshake.Result{Conn: &streams[i], Deflate: agreed}, RoleServer, o))
		defer conns[i].CloseNow()
	}
	p := NewPrepared(Text, bytes.Repeat([]byte("as often "), 100))
	ctx := context.Background()
	for name, write := range map[string]func(*Conn) error{
		"WritePrepared": func(c *Conn) error { return c.WritePrepared(ctx, p) },
		"Send":          func(c *Conn) error { return c.Send(p) },
	} {
		clear(streams[:])
		i := 0
		allocs := testing.AllocsPerRun(len(conns)-1, func() { // and once before
			if err := write(conns[i]); err != nil {
				t.Error(name, err)
			}
			i++
		})
		if allocs != 0 && !raceEnabled {
			t.Errorf("%s: %v allocations for each recipient", name, allocs)
		}
		for i := range streams {
			s, first := &streams[i], &streams[i%windows]
			if s.writes != 1 || &s.last[0] != &first.last[0] || len(s.last) >= p.Len()/4 {
				t.Errorf("%s: recipient %d got %d octets in %d writes", name, i, len(s.last), s.writes)
			}
		}
	}
	if n := o.Compression.Codec.(countingCodec).messages.Load(); n != windows {
		t.Errorf("compressed %d times for %d windows", n, windows)
	}
}

// A Prepared is compressed by the codec of each recipient, and once by each.
func TestPreparedByEachCodec(t *testing.T) {
	agreed := &handshake.Deflate{
		ServerNoContextTakeover: true, ServerMaxWindowBits: maxWindowBits, ClientMaxWindowBits: maxWindowBits,
	}
	p := NewPrepared(Text, bytes.Repeat([]byte("text "), 100))
	var messages [2]atomic.Int32
	for range 3 {
		for i := range messages {
			d := newDeflation(RoleServer, agreed, Compression{Codec: countingCodec{messages: &messages[i]}})
			if _, err := p.frame(d); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range messages {
		if n := messages[i].Load(); n != 1 {
			t.Errorf("codec %d has compressed %d messages, want 1", i, n)
		}
	}
}

// A Prepared is compressed by a compressor of the pool, whatever its first recipient's window is: one
// of a connection's own would be made for each message.
func TestPreparedByPooledCompressor(t *testing.T) {
	for _, takeover := range []bool{false, true} {
		codec := &askedCodec{Codec: flateCodec{}}
		d := newDeflation(RoleServer, &handshake.Deflate{
			ServerNoContextTakeover: !takeover, ServerMaxWindowBits: maxWindowBits, ClientMaxWindowBits: maxWindowBits,
		}, Compression{Codec: codec})
		if _, err := NewPrepared(Text, bytes.Repeat([]byte("text "), 100)).frame(d); err != nil || codec.own != 0 {
			t.Errorf("takeover %t: %d compressors of its own, %v", takeover, codec.own, err)
		}
	}
}

// TestPreparedIsNotCopied: where writes do not pass, a Prepared that meets nobody goes to the stream
// as it is all the same.
func TestPreparedIsNotCopied(t *testing.T) {
	var s recipient
	agreed := &handshake.Deflate{ServerMaxWindowBits: maxWindowBits, ClientMaxWindowBits: maxWindowBits}
	c := must(New(&handshake.Result{Conn: &s, Deflate: agreed}, RoleServer, nil))
	defer c.CloseNow()
	p := NewPrepared(Text, bytes.Repeat([]byte("as it is "), 100)).Uncompressed()
	if err := c.WritePrepared(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	if s.writes != 1 || &s.last[0] != &p.plain[0] {
		t.Errorf("%d writes, the last of %d bytes that are not those of the Prepared", s.writes, len(s.last))
	}
}
