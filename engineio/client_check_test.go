package engineio_test

import (
	"net/http"
	"strings"
	"testing"

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
		{url, &engineio.DialOptions{Transports: []string{"udp"}}, `"udp"`},
		{url, &engineio.DialOptions{Limits: engineio.DialLimits{MaxPayload: 1}}, "MaxPayload"},
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
