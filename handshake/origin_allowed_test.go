package handshake_test

import (
	"net/http"
	"testing"

	"github.com/parleyws/parley/handshake"
)

// OriginAllowed is the rule that Accept applies.
func TestOriginAllowed(t *testing.T) {
	patterns := []string{"http://localhost:5173"}
	for _, tt := range []struct {
		name     string
		origins  []string
		patterns []string
		want     bool
	}{
		{"none", nil, nil, true},
		{"same host", []string{"http://example.com"}, nil, true},
		{"another host", []string{"http://localhost:5173"}, nil, false},
		{"named", []string{"http://localhost:5173"}, patterns, true},
		{"not named", []string{"http://localhost:5174"}, patterns, false},
		{"any", []string{"https://elsewhere.test"}, []string{"*"}, true},
		{"malformed pattern", []string{"https://elsewhere.test"}, []string{"*.*"}, false},
		{"malformed pattern after one that matches", []string{"http://localhost:5173"}, []string{"*", "*.*"}, false},
		{"malformed pattern, same host", []string{"http://example.com"}, []string{"*.*"}, false},
		{"malformed pattern, none", nil, []string{"*.*"}, true},
		{"two fields", []string{"http://example.com", "http://example.com"}, nil, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{Host: "example.com", Header: http.Header{}}
			if tt.origins != nil {
				r.Header["Origin"] = tt.origins
			}
			if got := handshake.OriginAllowed(r, tt.patterns); got != tt.want {
				t.Errorf("OriginAllowed(%q, %q) = %t, want %t", tt.origins, tt.patterns, got, tt.want)
			}
		})
	}
	if handshake.OriginAllowed(&http.Request{Header: http.Header{"Origin": {"file://"}}}, nil) {
		t.Error("an origin without a host is the host of a request without one")
	}
}
