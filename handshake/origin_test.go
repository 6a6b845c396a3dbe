package handshake

import (
	"crypto/tls"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// originSettings are servers; each column of originTable is one of them.
var originSettings = []struct {
	host     string
	tls      bool
	patterns []string
}{
	{"example.com", false, nil},
	{"example.com", true, nil},
	{"EXAMPLE.com:8080", false, nil},
	{"example.com:80", false, nil},
	{"example.com:443", true, nil},
	{"[::1]:3000", false, nil},
	{"api.test", false, []string{"example.com", "https://app.Example.org:8443"}},
	{"api.test", true, []string{"*.example.com", "http://localhost:*"}},
	{"api.test", false, []string{"null", "chrome-extension://abcdefgh", "*.xn--bcher-kva.example:*"}},
	{"api.test", false, []string{"*"}},
	{"api.test", true, []string{"file://", "Vscode-Webview://*"}},
}

// originTable tells for each origin which of originSettings let it in.
var originTable = []struct{ origin, allowed string }{
	{"http://example.com", "y..y..y..y."},
	{"HTTP://EXAMPLE.Com", "y..y..y..y."},
	{"https://example.com", "yy..y.y..y."},
	{"https://Example.COM", "yy..y.y..y."},
	{"http://example.com:80", "y..y..y..y."},
	{"https://example.com:443", "yy..y.y..y."},
	{"http://example.com:443", ".........y."},
	{"https://example.com:80", "...y.....y."},
	{"http://example.com:8080", "..y......y."},
	{"https://example.com:8080", "..y......y."}, // a proxy ended TLS
	{"ws://example.com:80", "y..y..y..y."},
	{"wss://example.com", "y.....y..y."},
	{"wss://example.com:443", "y.....y..y."},
	{"ftp://example.com", "y.....y..y."},

	// Names that are like it.
	{"http://evil-example.com", ".........y."},
	{"https://evilexample.com", ".........y."},
	{"https://example.com.evil", ".........y."},
	{"https://example.com.evil:443", ".........y."},
	{"https://example.co", ".........y."},
	{"https://xample.com", ".........y."},
	{"https://example.com.", ".........y."},
	{"https://example_com", ".........y."},
	{"https://api.test.example", ".........y."},

	// Names below one.
	{"https://www.example.com", ".......y.y."},
	{"https://WWW.EXAMPLE.COM:443", ".......y.y."},
	{"https://a.b.example.com", ".......y.y."},
	{"http://www.example.com", ".........y."},
	{"https://www.example.com:444", ".........y."},
	{"https://.example.com", ".........y."},
	{"https://www.example.com.evil", ".........y."},
	{"https://wwwexample.com", ".........y."},
	{"https://a.xn--bcher-kva.example:81", "........yy."},

	// Schemes and ports of patterns.
	{"http://localhost", ".......y.y."},
	{"http://localhost:5173", ".......y.y."},
	{"https://localhost:5173", ".........y."},
	{"http://localhost.evil:5173", ".........y."},
	{"http://a.localhost:5173", ".........y."},
	{"https://app.example.org:8443", "......y..y."},
	{"http://app.example.org:8443", ".........y."},
	{"https://app.example.org", ".........y."},
	{"https://app.example.org:08443", ".........y."},
	{"https://app.example.org:84430", ".........y."},
	{"chrome-extension://abcdefgh", "........yy."},
	{"chrome-extension://abcdefgi", ".........y."},
	{"chrome://abcdefgh", ".........y."},
	{"null", "........yy."},
	{"Null", ".........y."},
	{"null://null", ".........y."},

	// Schemes that are not the web's.
	{"file://", ".........yy"},
	{"FILE://", ".........yy"},
	{"file:///", ".........y."},
	{"file://api.test", "......y.yy."}, // of the same host, as any scheme is without TLS
	{"files://", ".........y."},
	{"vscode-webview://1a2b", ".........yy"},
	{"vscode-webview://", ".........yy"},
	{"vscode-webview://1a/2b", ".........y."},
	{"vscode-webview2://1a2b", ".........y."},

	// IPv6.
	{"http://[::1]:3000", ".....y...y."},
	{"https://[::1]:3000", ".....y...y."},
	{"http://[::1]", ".........y."},
	{"http://[::1]:3001", ".........y."},
	{"http://::1:3000", ".........y."},
	{"http://[::1%25lo]:3000", ".........y."},
	{"http://[::1:3000", ".........y."},
	{"http://[::1]3000", ".........y."},
	{"http://[]:3000", ".........y."},
	{"http://[example.com]", ".........y."},
	{"http://[127.0.0.1]:3000", ".........y."},

	// What is no origin.
	{"", ".........y."},
	{"*", ".........y."},
	{"example.com", ".........y."},
	{"//example.com", ".........y."},
	{"://example.com", ".........y."},
	{"(://example.com", ".........y."},
	{"http:/example.com", ".........y."},
	{"http//example.com", ".........y."},
	{"http://", ".........y."},
	{"http://:80", ".........y."},
	{"http://example.com:", ".........y."},
	{"http://example.com:http", ".........y."},
	{"http://example.com:80:80", ".........y."},
	{"http://example.com:-80", ".........y."},
	{"http://example.com/", ".........y."},
	{"http://example.com/path", ".........y."},
	{"http://example.com/80", ".........y."},
	{"http://example.com?x", ".........y."},
	{"http://example.com#x", ".........y."},
	{`http://example.com\x`, ".........y."},
	{"http://example.com, http://evil.example", ".........y."},
	{"http://example.com http://evil.example", ".........y."},
	{"http://user@example.com", ".........y."},
	{"http://user:password@example.com", ".........y."},
	{"http://example.com@evil.example", ".........y."},
	{"http://example.com:80@evil.example", ".........y."},
	{"http://exa%6dple.com", ".........y."},
	{"http://ex\u212Ample.com", ".........y."}, // K of Kelvin folds to k in Unicode
	{"http://*", ".........y."},
	{"http://*.example.com", ".........y."},
}

// TestParseOrigin: what is no origin, whatever the server is called.
func TestParseOrigin(t *testing.T) {
	for _, tt := range []struct {
		in                 string
		ok                 bool
		scheme, host, port string
	}{
		{"http://a", true, "http", "a", ""},
		{"http://example.com:80", true, "http", "example.com", "80"},
		{"https://[::1]:8080", true, "https", "[::1]", "8080"},
		{"a://b", true, "a", "b", ""},
		{"", false, "", "", ""},
		{"http", false, "", "", ""},
		{"http:", false, "", "", ""},
		{"http:/", false, "", "", ""},
		{"http:/a", false, "", "", ""},
		{"http//ab", false, "", "", ""},
		{"http;//ab", false, "", "", ""},
		{"http:a/b", false, "", "", ""},
		{"://a", false, "", "", ""},
		{"(://a", false, "", "", ""},
		{":", false, "", "", ""},
		{"http://", false, "http", "", ""},
		{"http://:80", false, "http", "", "80"},
	} {
		o, ok := parseOrigin(slices.Clip([]byte(tt.in)))
		if ok != tt.ok || string(o.scheme) != tt.scheme || string(o.host) != tt.host || string(o.port) != tt.port {
			t.Errorf("%q: %q %q %q, %v", tt.in, o.scheme, o.host, o.port, ok)
		}
	}
}

// TestIsScheme: a letter, then letters, digits and three marks (RFC 3986, section 3.1).
func TestIsScheme(t *testing.T) {
	for i := range 256 {
		c := byte(i)
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if got := isScheme(string([]byte{c})); got != letter {
			t.Errorf("%q: %v", c, got)
		}
		want := letter || '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'
		if got := isScheme(string([]byte{'a', c})); got != want {
			t.Errorf("a and %q: %v", c, got)
		}
	}
	if isScheme("") {
		t.Error("nothing is a scheme")
	}
}

// TestSplitHost: names and IPv6 addresses, with a port or without.
func TestSplitHost(t *testing.T) {
	for _, tt := range []struct {
		in, host, port string
		ok             bool
	}{
		{"a", "a", "", true},
		{"a:1", "a", "1", true},
		{"example.com:65536", "example.com", "65536", true},
		{"127.0.0.1", "127.0.0.1", "", true},
		{"[::1]", "[::1]", "", true},
		{"[fe80::1]:80", "[fe80::1]", "80", true},
		{"[::ffff:127.0.0.1]", "[::ffff:127.0.0.1]", "", true},
		{"", "", "", false},
		{":1", "", "1", false},
		{"a:", "a", "", false},
		{"a:b", "a", "b", false},
		{"a/b", "a", "b", false},
		{"a/1", "a", "1", false},
		{"[", "", "", false},
		{"[]", "[]", "", false},
		{"[a]", "[a]", "", false},
		{"[127.0.0.1]", "[127.0.0.1]", "", false},
		{"[fe80::1%lo]", "[fe80::1%lo]", "", false},
		{"[::1]1", "[::1]", "", false},
		{"[::1]12", "[::1]", "2", false},
		{"[::1]:", "[::1]", "", false},
	} {
		host, port, ok := splitHost([]byte(tt.in))
		if ok != tt.ok || ok && (string(host) != tt.host || string(port) != tt.port) {
			t.Errorf("%q: %q, %q, %v", tt.in, host, port, ok)
		}
	}
}

// TestOrigin tries every origin with every setting, on both paths.
func TestOrigin(t *testing.T) {
	for _, tt := range originTable {
		for i, s := range originSettings {
			want := tt.allowed[i] == 'y'
			got, err := originAllowed([]byte(tt.origin), []byte(s.host), s.tls, s.patterns)
			if err != nil || got != want {
				t.Errorf("origin %q, host %q, TLS %v, patterns %q: allowed = %v, %v, want %v",
					tt.origin, s.host, s.tls, s.patterns, got, err, want)
			}
			in := strings.Replace(sample("Origin: "+tt.origin+"\r\n"), "example.com", s.host, 1)
			o := &Options{Origins: s.patterns}
			if got := acceptOrigin(t, in, s.tls, o); got != want {
				t.Errorf("net/http: %q with TLS %v: accepted = %v", in, s.tls, got)
			}
			c := newMemConn(in)
			if s.tls {
				_, err = AcceptConn(memTLSConn{c}, o)
			} else {
				_, err = AcceptConn(c, o)
			}
			if got := err == nil; got != want {
				t.Errorf("raw: %q with TLS %v: %v", in, s.tls, err)
			}
		}
	}
}

// acceptOrigin reports whether the request is accepted through net/http; if not
// it was for its origin.
func acceptOrigin(t *testing.T, in string, overTLS bool, o *Options) bool {
	t.Helper()
	r := readRequest(t, in)
	if overTLS {
		r.TLS = new(tls.ConnectionState)
	}
	_, err := Accept(newHijackRecorder(newMemConn("")), r, o)
	e, refused := errors.AsType[*Error](err)
	if refused && e.Status != http.StatusForbidden || err != nil && !refused {
		t.Errorf("%q: %v", in, err)
	}
	return err == nil
}

// TestOriginMalformedHost: a malformed Host field is no origin's host, even if it begins
// with one. AcceptConn refuses these requests in any case, but net/http lets them pass.
func TestOriginMalformedHost(t *testing.T) {
	for _, host := range []string{"example.com,80", "example.com;80", "example.com:", "example.com%"} {
		in := strings.Replace(sample("Origin: http://example.com\r\n"), "Host: example.com", "Host: "+host, 1)
		if acceptOrigin(t, in, false, nil) {
			t.Errorf("host %q has the origin http://example.com", host)
		}
	}
}

func TestOriginAbsent(t *testing.T) {
	for _, o := range []*Options{nil, {Origins: []string{"https://example.org"}}} {
		acceptBoth(t, sample(""), o, func(t *testing.T, path string, _ *Result, _ *memConn, err error) {
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
}

// TestOriginRefusal: 403 names both values, in a form that does no harm.
func TestOriginRefusal(t *testing.T) {
	in := sample("Origin: http://evil.example\xFF\"<script>" + strings.Repeat("x", 500) + "\r\n")
	check := func(t *testing.T, path string, _ *Result, c *memConn, err error) {
		wantRefusal(t, path, c, err, http.StatusForbidden)
		for _, want := range []string{`"http://evil.example\xff\"<script>xxx`, `"example.com"`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not name %s", path, err, want)
			}
		}
		if len(err.Error()) > 400 {
			t.Errorf("%s: %d octets of error", path, len(err.Error()))
		}
	}
	acceptBoth(t, in, nil, check)
	acceptBoth(t, in, &Options{CheckOrigin: func(*http.Request) bool { return false }}, check)
}

// TestOriginForwarded: what a client says of a proxy before it is not believed.
func TestOriginForwarded(t *testing.T) {
	in := sample("Origin: https://evil.example\r\nX-Forwarded-Host: evil.example\r\n" +
		"X-Forwarded-Proto: https\r\nForwarded: host=evil.example;proto=https\r\n")
	acceptBoth(t, in, nil, func(t *testing.T, path string, _ *Result, c *memConn, err error) {
		wantRefusal(t, path, c, err, http.StatusForbidden)
	})
}

func TestCheckOrigin(t *testing.T) {
	for _, origin := range []string{"", "Origin: http://evil.example\r\n", "Origin: http://example.com\r\n"} {
		for _, allow := range []bool{true, false} {
			calls := 0
			o := &Options{Origins: []string{"*"}, CheckOrigin: func(r *http.Request) bool {
				calls++
				if got, want := r.Header.Get("Origin"), strings.TrimSpace(strings.TrimPrefix(origin, "Origin:")); got != want {
					t.Errorf("CheckOrigin sees the origin %q, want %q", got, want)
				}
				return allow
			}}
			acceptBoth(t, sample(origin), o, func(t *testing.T, path string, _ *Result, c *memConn, err error) {
				if allow && err != nil {
					t.Errorf("%s: %v", path, err)
				}
				if !allow {
					wantRefusal(t, path, c, err, http.StatusForbidden)
				}
			})
			if calls != 2 {
				t.Errorf("CheckOrigin was called %d times for two requests", calls)
			}
		}
	}
}

// TestOriginPatterns: a pattern that can't be meant is told to those who run
// the server, not to the peer.
func TestOriginPatterns(t *testing.T) {
	for _, p := range []string{
		"", "http://", "://example.com", "ht tp://example.com", "*example.com", "www.*.com", "*.", "*.*", "*.*.com",
		"example.com/", "http://example.com/x", "example.com:*:*", "example.com:80:*", "example.com:x", "user@example.com",
		"*.[::1]", "example.com ", "http://*:80", "1ttp://*", "*://example.com/", "exa\nmple.com",
	} {
		acceptBoth(t, sample("Origin: http://evil.example\r\n"), &Options{Origins: []string{p}},
			func(t *testing.T, path string, _ *Result, c *memConn, err error) {
				wantRefusal(t, path, c, err, http.StatusInternalServerError)
				if !errors.Is(err, errPattern) {
					t.Errorf("%s: pattern %q: %v", path, p, err)
				}
			})
	}
}
