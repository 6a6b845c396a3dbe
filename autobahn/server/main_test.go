package main

import (
	"bytes"
	"context"
	"net"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
)

// On a loop and on goroutines: a message that is longer than any default limit comes back,
// with and without compression, and the server ends.
func TestServe(t *testing.T) {
	for name, goroutines := range map[string]bool{"loop": false, "goroutines": true} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			served := make(chan error, 1)
			go func() { served <- serve(ctx, listener, shell(goroutines)) }()
			url := "ws://" + listener.Addr().String()
			t.Run("plain", func(t *testing.T) { exchange(t, url, nil) })
			t.Run("compressed", func(t *testing.T) {
				exchange(t, url, &handshake.DeflateOptions{ServerContextTakeover: true, ServerMaxWindowBits: 9})
			})
			cancel()
			if err := <-served; err != nil {
				t.Errorf("serve: %v", err)
			}
		})
	}
}

// exchange sends a message of 2 MiB, wants it back, and closes.
func exchange(t *testing.T, url string, deflate *handshake.DeflateOptions) {
	o := &conn.DialOptions{
		Handshake: handshake.DialOptions{Deflate: deflate},
		Conn:      conn.Options{Limits: conn.Limits{Message: -1}},
	}
	c, _, err := conn.Dial(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	message := bytes.Repeat([]byte("sixteen octets, "), 1<<17)
	if err := c.Write(t.Context(), conn.Binary, message); err != nil {
		t.Fatal(err)
	}
	op, p, err := c.Read(t.Context())
	if err != nil || op != conn.Binary || !bytes.Equal(p, message) {
		t.Errorf("%v of %d bytes, error %v; want the binary message of %d", op, len(p), err, len(message))
	}
	if err := c.Close(frame.StatusNormalClosure, ""); err != nil {
		t.Errorf("close: %v", err)
	}
}
