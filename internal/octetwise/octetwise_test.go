package octetwise

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/parleyws/parley/internal/pipe"
)

func TestOctets(t *testing.T) {
	a, b := pipe.New()
	a, b = New(a), New(b)
	defer a.Close()
	defer b.Close()
	if n, err := a.Write([]byte("abc")); n != 3 || err != nil {
		t.Fatalf("Write = %d, %v", n, err)
	}
	p := make([]byte, 8)
	for _, want := range "abc" {
		if n, err := b.Read(p); n != 1 || err != nil || p[0] != byte(want) {
			t.Fatalf("Read = %d, %v, %q; want one octet, %q", n, err, p[:n], want)
		}
	}
	if n, err := b.Read(nil); n != 0 || err != nil {
		t.Errorf("Read(nil) = %d, %v", n, err)
	}
}

// A Write that fails returns the number of bytes that went out before.
func TestWriteFails(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	go func() {
		io.ReadFull(b, make([]byte, 2))
		b.Close()
	}()
	if n, err := New(a).Write([]byte("abc")); n != 2 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write = %d, %v; want 2, %v", n, err, io.ErrClosedPipe)
	}
}

func TestCloseWrite(t *testing.T) {
	a, b := pipe.New()
	defer a.Close()
	defer b.Close()
	if err := New(a).(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read = %v, want EOF", err)
	}

	c, d := net.Pipe()
	defer c.Close()
	defer d.Close()
	if err := New(c).(interface{ CloseWrite() error }).CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("CloseWrite = %v, want %v", err, errors.ErrUnsupported)
	}
}
