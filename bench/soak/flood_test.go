package main

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
)

// A flood whose status code is another one than the server's, or which the server endures, is
// an error.
func TestFlood(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	members := rooms{of: make(map[string]map[*conn.Conn]struct{})}
	mux := http.NewServeMux()
	mux.Handle("/ws", &conn.Server{Handle: members.serve})
	s := &http.Server{Handler: mux}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	for _, f := range floods {
		if f.socketIO || f.unread {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			if err := f.run(l.Addr().String()); err != nil {
				t.Error(err)
			}
			f.code++
			if err := f.run(l.Addr().String()); err == nil {
				t.Error("another status code is no error")
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		f := flood{octets: masked(frame.Text, []byte("a")), code: 1008}
		if err := f.runFor(l.Addr().String(), 100*time.Millisecond); err == nil || !strings.Contains(err.Error(), "was open") {
			t.Errorf("got %v", err)
		}
	})
}
