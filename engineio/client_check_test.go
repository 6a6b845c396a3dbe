package engineio_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
)

// Check says what Dial would say before it sends anything.
func TestDialOptionsCheck(t *testing.T) {
	const url = "http://example.com/socket.io/?a=b"
	reserved := http.Header{"Upgrade": {"x"}}
	for _, tt := range []struct {
		url  string
		o    *engineio.DialOptions
		want string // part of the error; "" is none
	}{
		{url, nil, ""},
		{"https://example.com", nil, ""},
		{"ws://example.com", nil, ""},
		{"wss://example.com", nil, ""},
		{"ftp://example.com", nil, `scheme "ftp"`},
		{"http://", nil, "no host"},
		{"http://example.com/#a", nil, "fragment"},
		{"http://a b/", nil, "invalid character"},
		{"ws://::1:3000", nil, "invalid port"},
		{"ws://::1:3000", &engineio.DialOptions{Transports: []string{"polling"}}, "invalid port"},
		{"http://[fe80::1%25é]", &engineio.DialOptions{Transports: []string{"polling"}}, "invalid URL escape"},
		{url, &engineio.DialOptions{Transports: []string{"udp"}}, `"udp"`},
		{url, &engineio.DialOptions{Limits: engineio.DialLimits{MaxPayload: 511}}, "MaxPayload"},
		{url, &engineio.DialOptions{Limits: engineio.DialLimits{QueueBytes: 511}}, "QueueBytes"},
		{url, &engineio.DialOptions{Limits: engineio.DialLimits{MaxPayload: 512, QueueBytes: 512}}, ""},
		{url, &engineio.DialOptions{Header: http.Header{"Authorization": {"x"}}}, ""},
		{url, &engineio.DialOptions{Header: reserved}, "Upgrade"},
		{url, &engineio.DialOptions{Header: reserved, Transports: []string{"polling"}}, ""},
	} {
		err := tt.o.Check(tt.url)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Check(%q): %v, want %q", tt.url, err, tt.want)
		}
	}
}

// Whoever changes the options later changes nothing, not even for what the open session sends.
func TestDialOptionsAreCopied(t *testing.T) {
	hooks := engineio.Hooks{Header: func(_ http.Header, r *http.Request) {
		if got := r.Header.Get("X-A"); got != "a" {
			t.Errorf("%s %s has X-A: %q", r.Method, r.URL.Query().Get("transport"), got)
		}
	}}
	inBubble(t, &engineio.Options{Hooks: hooks}, func(s *site) {
		o := &engineio.DialOptions{HTTPClient: s.http, Header: http.Header{"X-A": {"a"}}, Transports: []string{"polling", "websocket"}}
		c, err := engineio.Dial(s.t.Context(), clientURL, func(*engineio.Client) engineio.Receiver {
			o.Header["X-A"][0], o.Transports[1] = "b", "polling"
			o.Header.Set("X-A", "c")
			return ignored{}
		}, o)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if got := c.Transport(); got != "websocket" {
			t.Errorf("the session stays on %s", got)
		}
		c.Close()
		<-c.Done()
	})
}
