package engineio

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/parleyws/parley/engineio/internal/packet"
)

// requestOf returns a request to of, with a ctx as net/http makes it, and then with values of a
// user's.
func requestOf(t *testing.T, of *http.Server, values ...any) *http.Request {
	ctx := context.WithValue(context.Background(), http.ServerContextKey, of)
	ctx = context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(&net.TCPAddr{Port: len(values)}))
	ctx, endConn := context.WithCancel(ctx)
	ctx, endRequest := context.WithCancel(ctx)
	t.Cleanup(endRequest)
	t.Cleanup(endConn)
	for _, v := range values {
		ctx = context.WithValue(ctx, http.ServerContextKey, v)
	}
	return httptest.NewRequestWithContext(ctx, "GET", "/", nil)
}

// A session shares what it has in common with others. The values that a user has put into
// its ctx are its own, though they may not be comparable.
func TestShared(t *testing.T) {
	server, err := NewServer(func(*Session) Receiver { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	var here, there http.Server
	a := server.share(packet.V4, requestOf(t, &here))
	for _, tt := range []struct {
		name   string
		codec  *packet.Codec
		r      *http.Request
		shares bool
	}{
		{"another request", packet.V4, requestOf(t, &here), true},
		{"another version", packet.V3, requestOf(t, &here), false},
		{"another http.Server", packet.V4, requestOf(t, &there), false},
		{"a value", packet.V4, requestOf(t, &here, []int{1}), false},
		{"a value again", packet.V4, requestOf(t, &here, []int{1}), false},
	} {
		b := server.share(tt.codec, tt.r)
		if (a == b) != tt.shares {
			t.Errorf("%s: shared: %v, want %v", tt.name, a == b, tt.shares)
		}
		if b.codec != tt.codec || b.server != server || b.values.Value(http.ServerContextKey) == nil {
			t.Errorf("%s: %+v", tt.name, b)
		}
	}
	if n := len(server.shared); n != 3 {
		t.Errorf("the server remembers %d, want the 3 that may be shared", n)
	}
	for range 3 * mostShared { // http.Servers that come and go
		server.share(packet.V4, requestOf(t, new(http.Server)))
	}
	if n := len(server.shared); n != mostShared {
		t.Errorf("the server remembers %d, want %d", n, mostShared)
	}
	all := map[*shared]bool{}
	for range 2 { // two http.Servers, whose clients speak all versions
		for _, of := range []*http.Server{&here, &there} {
			for _, codec := range []*packet.Codec{packet.V4, packet.V3, packet.V3Base64} {
				all[server.share(codec, requestOf(t, of))] = true
			}
		}
	}
	if len(all) != 6 {
		t.Errorf("two http.Servers have %d values for three versions each, want 6", len(all))
	}
}
