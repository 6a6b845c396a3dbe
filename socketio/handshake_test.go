package socketio_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/parleyws/parley/socketio"
)

// A handshake is read as it was written, here and in JavaScript.
func TestHandshakeRead(t *testing.T) {
	issued := time.Date(2026, 11, 25, 3, 8, 15, 960e6, time.UTC)
	const node = `{"headers":{"host":"127.0.0.1:34323","sec-websocket-version":"13"},` +
		`"time":"Wed Nov 25 2026 03:08:15 GMT+0000 (Coordinated Universal Time)","address":"::ffff:127.0.0.1","xdomain":true,"secure":true,` +
		`"issued":1795576095960,"url":"/socket.io/?EIO=4&a=1&a=2","query":{"EIO":"4","a":["1","2"]},"auth":{"token":"x"}}`
	want := socketio.Handshake{
		Header: http.Header{"Host": {"127.0.0.1:34323"}, "Sec-Websocket-Version": {"13"}},
		Time:   issued, Issued: issued.UnixMilli(), Address: "::ffff:127.0.0.1", XDomain: true, Secure: true,
		URL: "/socket.io/?EIO=4&a=1&a=2", Query: url.Values{"EIO": {"4"}, "a": {"1", "2"}}, Auth: json.RawMessage(`{"token":"x"}`),
	}
	var got socketio.Handshake
	if err := json.Unmarshal([]byte(node), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	var again socketio.Handshake
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("written and read: %s", diff)
	}
}

// What can't be a handshake's is left out, or refused.
func TestHandshakeReadOdd(t *testing.T) {
	first, second := time.Unix(0, 0).UTC(), time.Unix(1, 0).UTC()
	for _, tt := range []struct {
		name, text string
		time       time.Time
		query      []string // the parameter a
		ok         bool
	}{
		{"zone", `{"issued":0,"time":"Wed Nov 25 2026 04:08:15 GMT+0100 (Central European Standard Time)"}`, time.Date(2026, 11, 25, 3, 8, 15, 0, time.UTC), nil, true},
		{"no time", `{"issued":1000,"time":7}`, second, nil, true},
		{"no such time", `{"issued":1000,"time":"Invalid Date"}`, second, nil, true},
		{"nested query", `{"issued":1000,"query":{"a":{"b":"c"}}}`, second, []string{`{"b":"c"}`}, true},
		{"nested in a list", `{"query":{"a":["b", {"c":"d"}]}}`, first, []string{`["b", {"c":"d"}]`}, true},
		{"array", `[]`, time.Time{}, nil, false},
		{"address", `{"address":{}}`, time.Time{}, nil, false},
	} {
		var h socketio.Handshake
		if err := json.Unmarshal([]byte(tt.text), &h); (err == nil) != tt.ok || !h.Time.Equal(tt.time) || !slices.Equal(h.Query["a"], tt.query) {
			t.Errorf("%s: %v, %q, %v", tt.name, h.Time, h.Query, err)
		}
	}
}

// Address is the client's without the port, if there is one.
func TestHandshakeAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1234": "192.0.2.1", "[2001:db8::1]:1234": "2001:db8::1", "@": "@",
	} {
		inBubble(t, nil, func(s *site) {
			sockets := s.sockets(nil)
			send := func(method, query, body string) string {
				r := httptest.NewRequest(method, "/socket.io/?EIO=4&transport=polling"+query, strings.NewReader(body))
				r.RemoteAddr = remote
				w := httptest.NewRecorder()
				s.io.ServeHTTP(w, r)
				return w.Body.String()
			}
			send("POST", "&sid="+strings.Split(send("GET", "", ""), `"`)[3], "40")
			if got := (<-sockets).Handshake().Address; got != want {
				t.Errorf("%s: address %q, want %q", remote, got, want)
			}
		})
	}
}
