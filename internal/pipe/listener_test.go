package pipe

import (
	"context"
	"errors"
	"net"
	"testing"
)

func TestListener(t *testing.T) {
	l := Listen()
	if l.Addr() == nil {
		t.Error("no address")
	}
	accepted := make(chan net.Conn)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	client, err := l.DialContext(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	server := <-accepted
	write(t, client, "hello")
	buf := make([]byte, 5)
	if _, err := server.Read(buf); err != nil || string(buf) != "hello" {
		t.Errorf("read %q, %v", buf, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.DialContext(ctx, "", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("DialContext that nobody accepts: %v", err)
	}
	l.Close()
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept: %v", err)
	}
	if _, err := l.DialContext(t.Context(), "", ""); !errors.Is(err, net.ErrClosed) {
		t.Errorf("DialContext: %v", err)
	}
	client.Close()
	server.Close()
}
