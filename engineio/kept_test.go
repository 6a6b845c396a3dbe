package engineio

import (
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

// A request that a program has made need not have come by HTTP.
func TestKeptTarget(t *testing.T) {
	r := &http.Request{URL: &url.URL{Opaque: "opaque"}}
	if h := keep("id", r).handshake(); h.URL == nil || h.URL.Opaque != "opaque" {
		t.Errorf("URL %+v", h.URL)
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
