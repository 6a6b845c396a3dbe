package klauspost_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/klauspost/compress/flate"
	"github.com/parleyws/parley/codec/klauspost"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/wstest"
)

const minBits, maxBits = 8, 15

// noise returns octets that do not compress.
func noise(n int) []byte {
	random := rand.New(rand.NewPCG(7692, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// RFC 7692, section 7.1.2: no distance leaves the window. What is said again
// one octet farther away than it reaches must be as long as the first time;
// what is said again within it is short, or there would be nothing to see.
func TestWindow(t *testing.T) {
	for bits := minBits; bits <= maxBits; bits++ {
		w := klauspost.Codec{}.NewCompressor(bits, true)
		for _, c := range []struct {
			distance int
			again    bool
		}{
			{1 << bits / 2, true},
			{1<<bits + 1, false},
			{1<<bits + 1000, false},
		} {
			part := noise(c.distance)
			var out bytes.Buffer
			w.Reset(&out)
			w.Write(part)
			w.Flush()
			first := out.Len()
			w.Write(part)
			w.Flush()
			second := out.Len() - first
			if got := second < first*3/4; got != c.again {
				t.Errorf("%d bits: %d octets, said again behind as many, take %d, then %d", bits, c.distance, first, second)
			}
		}
	}
}

// A dictionary is the window that another writer left behind.
func TestResetDict(t *testing.T) {
	text := []byte(strings.Repeat("a window is taken over; ", 8))
	for bits := minBits; bits <= maxBits; bits++ {
		w := klauspost.Codec{}.NewCompressor(bits, true).(conn.DictCompressor)
		var alone, with bytes.Buffer
		w.Reset(&alone)
		w.Write(text)
		w.Flush()
		w.ResetDict(&with, text)
		w.Write(text)
		w.Flush()
		if with.Len() >= alone.Len()/2 {
			t.Errorf("%d bits: %d octets without the window, %d with it", bits, alone.Len(), with.Len())
		}
		got, err := io.ReadAll(io.LimitReader(flate.NewReaderDict(&with, text), int64(len(text))))
		if err != nil || !bytes.Equal(got, text) {
			t.Errorf("%d bits: %v, %q", bits, err, got)
		}
	}
}

// A compressor goes from connection to connection: Reset must forget the window
// of the last one, or its text would reach another peer, and not be readable
// there.
func TestResetForgets(t *testing.T) {
	secret := []byte("the password of one connection is no matter of the next")
	for bits := minBits; bits <= maxBits; bits++ {
		w := klauspost.Codec{}.NewCompressor(bits, false).(conn.DictCompressor)
		var want, got bytes.Buffer
		w.Reset(&want)
		w.Write(secret)
		w.Flush()
		w.ResetDict(io.Discard, secret)
		w.Write(secret)
		w.Flush()
		w.Reset(&got)
		w.Write(secret)
		w.Flush()
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%d bits: %x, want %x", bits, got.Bytes(), want.Bytes())
		}
	}
}

// Messages of all kinds, through two connections that compress with it.
func TestConn(t *testing.T) {
	for bits := minBits; bits <= maxBits; bits++ {
		for _, takeover := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bits/takeover %t", bits, takeover), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testConn(t, bits, takeover) })
			})
		}
	}
}

func testConn(t *testing.T, bits int, takeover bool) {
	options := &conn.Options{Compression: conn.Compression{Codec: klauspost.Codec{}, MinSize: -1}}
	server, client := wstest.Pipe(&wstest.PipeOptions{
		Server: options,
		Client: options,
		Deflate: &handshake.Deflate{
			ServerNoContextTakeover: !takeover, ClientNoContextTakeover: !takeover,
			ServerMaxWindowBits: bits, ClientMaxWindowBits: bits,
		},
	})
	defer server.CloseNow()
	defer client.CloseNow()
	ctx := context.Background()
	go server.Each(ctx, func(m conn.Message) error { return server.Write(ctx, m.Type, m.Payload) })
	text := strings.Repeat("Once upon a midnight dreary, while I pondered, weak and weary, ", 2000)
	for i, n := range []int{0, 1, 10, 200, 200, 5000, 1, 70000, 40000, 100} {
		for _, p := range [][]byte{[]byte(text[i : i+n]), noise(n)} {
			if err := client.Write(ctx, conn.Binary, p); err != nil {
				t.Fatal(err)
			}
			if _, got, err := client.Read(ctx); err != nil || !bytes.Equal(got, p) {
				t.Fatalf("message %d of %d octets: %d came back, %v", i, n, len(got), err)
			}
		}
	}
}
