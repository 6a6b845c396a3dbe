package engineio

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
)

type noTransport struct{}

func (noTransport) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("none") }

// Our own transport is like http.DefaultTransport, or as good as that where it is none
// that can be copied, with a bound on the head of responses.
func TestOwnTransport(t *testing.T) {
	defer func(before http.RoundTripper) { http.DefaultTransport = before }(http.DefaultTransport)
	for _, base := range []http.RoundTripper{&http.Transport{MaxIdleConns: 7, Proxy: http.ProxyFromEnvironment}, noTransport{}} {
		http.DefaultTransport = base
		own := ownTransport()
		if own == base || own.MaxResponseHeaderBytes != 64<<10 || own.Proxy == nil {
			t.Errorf("from %T: %+v", base, own)
		}
		if _, copied := base.(*http.Transport); copied && own.MaxIdleConns != 7 {
			t.Error("the settings of http.DefaultTransport are lost")
		}
	}
}

// Only the same scheme, host and port are the same server.
func TestOrigin(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"http://example.com/a", "http://EXAMPLE.com:80/b", true},
		{"https://example.com", "https://example.com:443", true},
		{"https://example.com", "http://example.com", false},
		{"http://example.com", "https://example.com", false},
		{"http://example.com", "http://sub.example.com", false},
		{"http://example.com", "http://example.com:8080", false},
		{"https://example.com", "https://example.com:8443", false},
		{"http://[::1]:80", "http://[::1]", true},
	} {
		a, _ := url.Parse(tt.a)
		b, _ := url.Parse(tt.b)
		if got := origin(a) == origin(b); got != tt.same {
			t.Errorf("%s and %s: %t", tt.a, tt.b, got)
		}
	}
}

// The parameters of the user's URL stay, except those that are the protocol's own.
func TestTarget(t *testing.T) {
	w, err := newWeb("http://example.com/?sid=old&EIO=3&transport=x&token=a%26b", &DialOptions{HTTPClient: new(http.Client)})
	if err != nil {
		t.Fatal(err)
	}
	for sid, want := range map[string]string{
		"":    "http://example.com/?EIO=4&token=a%26b&transport=polling",
		"new": "http://example.com/?EIO=4&sid=new&token=a%26b&transport=polling",
	} {
		if got := w.target("polling", sid); got != want {
			t.Errorf("with the sid %q: %s, want %s", sid, got, want)
		}
	}
}

// A request that has been elsewhere and comes back carries no secrets either.
func TestRedirectBack(t *testing.T) {
	w := &web{o: &DialOptions{
		Header:     http.Header{"X-Key": {"secret"}},
		HTTPClient: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }},
	}}
	request := func(host string) *http.Request {
		return &http.Request{Method: "GET", URL: &url.URL{Scheme: "http", Host: host},
			Header: http.Header{"X-Key": {"secret"}, "Cookie": {"secret"}, "Referer": {"secret"}, "Authorization": {"secret"}}}
	}
	back := request("a")
	if err := w.redirect(back, []*http.Request{request("a"), request("b")}); err != nil || len(back.Header) > 0 {
		t.Errorf("%v, %v", err, back.Header)
	}
	same := request("a")
	if err := w.redirect(same, []*http.Request{request("a")}); err != nil || len(same.Header) != 4 {
		t.Errorf("%v, %v", err, same.Header)
	}
}
