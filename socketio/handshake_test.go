package socketio_test

import (
	"encoding/json"
	"net/http"
	"net/url"
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
	for _, tt := range []struct {
		name, text string
		time       time.Time
		ok         bool
	}{
		{"zone", `{"issued":0,"time":"Wed Nov 25 2026 04:08:15 GMT+0100 (Central European Standard Time)"}`, time.Date(2026, 11, 25, 3, 8, 15, 0, time.UTC), true},
		{"no time", `{"issued":1000,"time":7}`, time.Unix(1, 0).UTC(), true},
		{"nested query", `{"issued":1000,"query":{"a":{"b":"c"}}}`, time.Unix(1, 0).UTC(), true},
		{"array", `[]`, time.Time{}, false},
		{"address", `{"address":{}}`, time.Time{}, false},
	} {
		var h socketio.Handshake
		if err := json.Unmarshal([]byte(tt.text), &h); (err == nil) != tt.ok || !h.Time.Equal(tt.time) {
			t.Errorf("%s: %v, %v", tt.name, h.Time, err)
		}
	}
}
