package engineio

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A server may have a million sessions.
func TestSessionSize(t *testing.T) {
	if size := reflect.TypeFor[Session]().Size(); size > 128 {
		t.Errorf("%d bytes, want at most 128", size)
	}
}

// The id of a session is 20 random bytes, unless a hook makes it.
func TestSessionID(t *testing.T) {
	server, err := NewServer(func(*Session) Receiver { return nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := server.newID(nil)
	b, _ := server.newID(nil)
	if data, err := base64.RawURLEncoding.DecodeString(a); err != nil || len(data) != 20 || a == b {
		t.Errorf("ids %q and %q, %v", a, b, err)
	}
}

// A message counts its bytes, its type among them, and 160 more.
func TestMessageSize(t *testing.T) {
	for _, tt := range []struct {
		binary bool
		want   int
	}{{false, 164}, {true, 163}} {
		if got := NewMessage([]byte("abc"), tt.binary).size(); got != tt.want {
			t.Errorf("binary %t: a message of 3 bytes counts %d, want %d", tt.binary, got, tt.want)
		}
	}
}

// A request that a program has made need not have come by HTTP.
func TestKeptTarget(t *testing.T) {
	r := &http.Request{URL: &url.URL{Opaque: "opaque"}}
	if h := keep("id", r).handshake(); h.URL == nil || h.URL.Opaque != "opaque" {
		t.Errorf("URL %+v", h.URL)
	}
}

// A session keeps in one byte what is in the requests of many clients.
func TestKeptSize(t *testing.T) {
	for _, s := range familiar {
		if b := appendKept(nil, s); len(b) != 1 {
			t.Errorf("%q takes %d bytes, want 1", s, len(b))
		}
	}
}

// What is kept of a request is what the request had.
func TestKept(t *testing.T) {
	for _, target := range []string{"/engine.io/?EIO=4&transport=polling&a=%2Fb&a=c", "//x/y", "/%2F?", "/a%20b?c=%zz", "/?q=" + strings.Repeat("x", 70_000), familiar[1]} {
		r := httptest.NewRequest("GET", target, nil)
		r.Host, r.RemoteAddr = "", "[::1]:1"
		r.Header = http.Header{
			"X-Two":   {"1", "2"},
			"X-Empty": {""},
			"lower":   {"kept as it is"},
			"X-Lines": {"a\nb\x00c: d"},
			"X-Long":  {strings.Repeat("y", 300)},
			"Upgrade": {"websocket", "Websocket"},
		}
		k := keep("id", r)
		if k.id() != "id" {
			t.Errorf("%.40s: id %q", target, k.id())
		}
		h := k.handshake()
		if diff := cmp.Diff(r.Header, h.Header); diff != "" {
			t.Errorf("%.40s: header (-want +got):\n%s", target, diff)
		}
		if diff := cmp.Diff(r.URL, h.URL); diff != "" {
			t.Errorf("%.40s: URL (-want +got):\n%s", target, diff)
		}
		if h.Host != r.Host || h.RemoteAddr != r.RemoteAddr {
			t.Errorf("%.40s: host %q, address %q", target, h.Host, h.RemoteAddr)
		}
	}
}
