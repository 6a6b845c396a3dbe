package engineio_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/parleyws/parley/engineio"
)

// Origins may have any scheme, and a function may decide, for both transports alike.
func TestOrigins(t *testing.T) {
	only := func(name string) func(*http.Request, string) bool {
		return func(r *http.Request, origin string) bool { return origin == name && r.Header.Get("Origin") == name }
	}
	for _, tt := range []struct {
		cors   engineio.CORS
		origin string
		want   bool
	}{
		{engineio.CORS{Origins: []string{"file://"}}, "file://", true},
		{engineio.CORS{Origins: []string{"file://"}}, "file://host", false},
		{engineio.CORS{Origins: []string{"file://"}}, "other://", false},
		{engineio.CORS{Origins: []string{"file://*"}}, "file://", true},
		{engineio.CORS{Origins: []string{"https://a.example"}}, "file://", false},
		{engineio.CORS{}, "file://", false},
		{engineio.CORS{Origins: []string{"chrome-extension://abcdefgh"}}, "chrome-extension://abcdefgh", true},
		{engineio.CORS{Origins: []string{"chrome-extension://abcdefgh"}}, "chrome-extension://abcdefgi", false},
		{engineio.CORS{Origins: []string{"capacitor://localhost"}}, "capacitor://localhost", true},
		{engineio.CORS{Origins: []string{"vscode-webview://*"}}, "vscode-webview://1a2b", true},
		{engineio.CORS{Origins: []string{"vscode-webview://*"}}, "vscode-webview2://1a2b", false},
		{engineio.CORS{Origins: []string{"https://*"}}, "https://anything.example:81", true},
		{engineio.CORS{Origins: []string{"https://*"}}, "http://anything.example", false},
		{engineio.CORS{Origins: []string{"https://*"}}, "https://", false},
		{engineio.CORS{Origins: []string{"*"}}, "file://", true},
		{engineio.CORS{Origins: []string{"null"}}, "null", true},
		{engineio.CORS{Allow: only("moz-extension://x")}, "moz-extension://x", true},
		{engineio.CORS{Allow: only("moz-extension://x")}, "moz-extension://y", false},
		{engineio.CORS{Allow: only("a b")}, "a b", true},
		{engineio.CORS{Origins: []string{"https://a.example"}, Allow: only("https://b.example")}, "https://a.example", true},
		{engineio.CORS{Origins: []string{"https://a.example"}, Allow: only("https://b.example")}, "https://b.example", true},
		{engineio.CORS{Origins: []string{"https://a.example"}, Allow: only("https://b.example")}, "https://c.example", false},
		{engineio.CORS{Allow: func(*http.Request, string) bool { return false }}, "http://example.com", true}, // the server's own
	} {
		inBubble(t, &engineio.Options{CORS: &tt.cors}, func(s *site) {
			polling := s.must("GET", "transport=polling", "", "Origin", tt.origin).header.Get("Access-Control-Allow-Origin")
			if (polling == tt.origin || polling == "*") != tt.want {
				t.Errorf("%+v: %s: polling allows %q", tt.cors, tt.origin, polling)
			}
			_, resp, err := s.dial("ws://example.com/engine.io/?EIO=4&transport=websocket", "Origin", tt.origin)
			if (err == nil) != tt.want || err != nil && resp.StatusCode != http.StatusForbidden {
				t.Errorf("%+v: %s: WebSocket: %v", tt.cors, tt.origin, err)
			}
		})
	}
}

// A request that names two origins has none that a function could allow.
func TestTwoOrigins(t *testing.T) {
	allow := func(*http.Request, string) bool { return true }
	server := newServer(t, func(*engineio.Session) engineio.Receiver { return nil }, &engineio.Options{CORS: &engineio.CORS{Allow: allow}})
	for _, origins := range [][]string{{"https://a.example"}, {"https://a.example", "https://b.example"}} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/engine.io/", nil)
		r.Header["Origin"] = origins
		server.AnswerCORS(w, r)
		if got := w.Header().Get("Access-Control-Allow-Origin"); (got != "") != (len(origins) == 1) {
			t.Errorf("%q: %q is allowed", origins, got)
		}
	}
}
