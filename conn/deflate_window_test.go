package conn

import (
	"bytes"
	"compress/flate"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/parleyws/parley/conn/internal/inflater"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/internal/strictinflate"
)

// RFC 7692, sections 7.1.1 and 7.1.2: no distance leaves the window that was
// agreed, nor the message unless takeover was. Judged by a reader of our own,
// since compress/flate's does not see a broken promise.
func TestDeflateWindow(t *testing.T) {
	for _, c := range []struct {
		name  string
		codec Codec
	}{{"compress/flate", nil}, {"dictionary", dictCodec{}}} {
		for bits := minWindowBits; bits <= maxWindowBits; bits++ {
			for _, takeover := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%d bits/takeover %t", c.name, bits, takeover), func(t *testing.T) {
					testWindow(t, c.codec, takeover, bits)
				})
			}
		}
	}
}

func testWindow(t *testing.T, codec Codec, takeover bool, bits int) {
	random := rand.New(rand.NewPCG(7692, uint64(bits)))
	d, i := newDeflater(codec, takeover, bits), inflater.New(takeover, bits)
	strict := strictinflate.Inflater{Window: 1 << bits}
	for n := range 34 {
		want := someText(random, random.IntN(1<<(n%17)+1))
		p, err := d.compress(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		if !takeover {
			strict.History = nil
		}
		got, err := strict.Message(p)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("message %d of %d octets: %v, equal %t", n, len(want), err, bytes.Equal(got, want))
		}
		got, err = unpack(i, p, int64(len(want)))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("message %d of %d octets: inflate: %v, equal %t", n, len(want), err, bytes.Equal(got, want))
		}
	}
}

// Each side keeps the window that the other one's messages need, and no other.
func TestDeflateSides(t *testing.T) {
	for _, d := range []handshake.Deflate{
		{ServerNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15},
		{ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15},
		{ServerMaxWindowBits: minWindowBits, ClientMaxWindowBits: 15},
		{ServerMaxWindowBits: 15, ClientMaxWindowBits: minWindowBits},
	} {
		a, b := pipe.New()
		server := must(New(&handshake.Result{Conn: a, Deflate: &d}, RoleServer, nil))
		client := must(New(&handshake.Result{Conn: b, Deflate: &d}, RoleClient, nil))
		text := someText(rand.New(rand.NewPCG(1, 1)), 2000)
		for from, to := range map[*Conn]*Conn{server: client, client: server} {
			for i := range 2 {
				written := make(chan error, 1)
				go func() { written <- from.Write(context.Background(), Binary, text) }()
				if _, p, err := to.Read(context.Background()); err != nil || !bytes.Equal(p, text) {
					t.Errorf("%+v: message %d: %d bytes, %v", d, i, len(p), err)
				}
				if err := <-written; err != nil {
					t.Error(err)
				}
			}
		}
		server.CloseNow()
		client.CloseNow()
	}
}

// Takeover must pay: what was said before is short to say again.
func TestDeflateTakeoverShrinks(t *testing.T) {
	text := someText(rand.New(rand.NewPCG(1, 1)), 100)
	for _, codec := range []Codec{nil, dictCodec{}} {
		d := newDeflater(codec, true, maxWindowBits)
		first, _ := d.compress(nil, text)
		again, err := d.compress(nil, text)
		if err != nil || len(again) > len(first)/4 {
			t.Errorf("%T: %d octets, then %d, %v", codec, len(first), len(again), err)
		}
		d.reset()
		if third, err := d.compress(nil, text); err != nil || !bytes.Equal(third, first) {
			t.Errorf("%T: not the same behind a reset: %d octets, %v", codec, len(third), err)
		}
	}
}

// A message that is compressed in parts ends with its last one: no empty part follows.
func TestDeflateWholeChunks(t *testing.T) {
	for bits := minWindowBits; bits < maxWindowBits; bits++ {
		d, i := newDeflater(nil, false, bits), inflater.New(false, bits)
		for chunks := range 3 {
			text := someText(rand.New(rand.NewPCG(7, 1)), (chunks+1)<<bits)
			p, err := d.compress(nil, text)
			if err != nil {
				t.Fatal(err)
			}
			if n := bytes.Count(p, []byte(tail)); n != chunks { // the last one is left out
				t.Errorf("%d bits: %d bytes were flushed %d times before the end, want %d", bits, len(text), n, chunks)
			}
			if got, err := unpack(i, p, int64(len(text))); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%d bits: %d bytes became %d, %v", bits, len(text), len(got), err)
			}
		}
	}
}

// A message that was compressed once for many connections moves the peer's
// window without ours: behind it we start anew, and the peer follows.
func TestDeflateSharedOctets(t *testing.T) {
	shared, err := newDeflater(nil, false, maxWindowBits).compress(nil, []byte("for all of you"))
	if err != nil {
		t.Fatal(err)
	}
	for _, codec := range []Codec{nil, dictCodec{}} {
		d, i := newDeflater(codec, true, maxWindowBits), inflater.New(true, maxWindowBits)
		for n, text := range []string{"for you alone", "", "for you alone", "for all of you"} {
			p := shared
			if text == "" {
				text = "for all of you"
				d.reset()
			} else if p, err = d.compress(nil, []byte(text)); err != nil {
				t.Fatal(err)
			}
			if got, err := unpack(i, p, 100); err != nil || string(got) != text {
				t.Errorf("%T, message %d: got %q, %v; want %q", codec, n, got, err, text)
			}
		}
	}
}

// A deflater that is not ordered may be used by many at once, be it that
// takeover was not agreed or that this codec makes no use of it.
func TestDeflateUnordered(t *testing.T) {
	for _, d := range []*deflater{newDeflater(nil, false, maxWindowBits), newDeflater(nil, true, 9), newDeflater(dictCodec{}, false, 12)} {
		if d.ordered() {
			t.Errorf("%d bits: ordered", d.bits)
		}
		var all sync.WaitGroup
		for n := range 8 {
			all.Go(func() {
				text := someText(rand.New(rand.NewPCG(8, uint64(n))), 2000)
				for range 20 {
					p, err := d.compress(nil, text)
					if err != nil {
						t.Error(err)
						return
					}
					d.reset()
					if got, err := unpack(inflater.New(false, maxWindowBits), p, 2000); err != nil || !bytes.Equal(got, text) {
						t.Errorf("goroutine %d: %d octets, %v", n, len(got), err)
					}
				}
			})
		}
		all.Wait()
	}
	for _, codec := range []Codec{nil, dictCodec{}} {
		if !newDeflater(codec, true, maxWindowBits).ordered() {
			t.Errorf("%T with takeover: not ordered", codec)
		}
	}
}

// dictCodec is a codec whose compressors take a dictionary, and of which those
// for small windows never refer back at all.
type dictCodec struct{}

func (dictCodec) NewCompressor(windowBits int, _ bool) Compressor {
	if windowBits < 10 {
		return nil
	}
	level := flate.BestCompression
	if windowBits < maxWindowBits {
		level = flate.HuffmanOnly
	}
	return &dictCompressor{level: level}
}

type dictCompressor struct {
	*flate.Writer
	level int
}

func (c *dictCompressor) Reset(w io.Writer) { c.ResetDict(w, nil) }

func (c *dictCompressor) ResetDict(w io.Writer, dict []byte) {
	c.Writer, _ = flate.NewWriterDict(w, c.level, dict)
}

// A compressor that keeps the window of a connection is that connection's: no other one gets it.
func TestDeflaterKeepsItsCompressor(t *testing.T) {
	own, other, i := newDeflater(nil, true, maxWindowBits), newDeflater(nil, false, maxWindowBits), inflater.New(true, maxWindowBits)
	r := rand.New(rand.NewPCG(7, 2))
	for n := range 10 {
		text := someText(r, 2000)
		p, err := own.compress(nil, text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := unpack(i, p, 2000); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("message %d: got %d bytes, %v", n, len(got), err)
		}
		if _, err := other.compress(nil, someText(r, 2000)); err != nil {
			t.Fatal(err)
		}
	}
}
