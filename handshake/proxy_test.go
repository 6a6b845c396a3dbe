package handshake

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A proxy passes connections on: CONNECT, and requests with a target in
// absolute form.
type proxy struct {
	mu   sync.Mutex
	seen []string // first word and host of each request
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.seen = append(p.seen, r.Method+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	out, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer out.Close()
	in, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer in.Close()
	if r.Method == http.MethodConnect {
		io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
	} else {
		b := bufio.NewWriter(out)
		r.Header.Del("Proxy-Authorization")
		io.WriteString(b, "GET "+r.URL.RequestURI()+" HTTP/1.1\r\nHost: "+r.Host+"\r\n")
		r.Header.Write(b)
		io.WriteString(b, "\r\n")
		b.Flush()
	}
	go func() {
		io.Copy(out, rw)
		out.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(in, out)
}

// TestProxy goes to a ws and a wss server by way of a proxy.
func TestProxy(t *testing.T) {
	handler := echo(t, nil)
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewTLSServer(handler)
	defer secure.Close()
	p := new(proxy)
	ps := httptest.NewServer(p)
	defer ps.Close()
	through, err := url.Parse(strings.Replace(ps.URL, "http://", "http://user:secret@", 1))
	if err != nil {
		t.Fatal(err)
	}
	tr := newTransport(secure.Client().Transport)
	tr.Proxy = http.ProxyURL(through)
	for _, u := range []string{plain.URL, secure.URL} {
		res, _, err := Dial(t.Context(), strings.Replace(u, "http", "ws", 1), &DialOptions{HTTPClient: &http.Client{Transport: tr}})
		if err != nil {
			t.Fatalf("%s: %v", u, err)
		}
		got := make([]byte, 5)
		io.WriteString(res.Conn, "hello")
		if _, err := io.ReadFull(res.Conn, got); err != nil || string(got) != "hello" {
			t.Errorf("%s: %q, %v", u, got, err)
		}
		res.Conn.Close()
	}
	const auth = " Basic dXNlcjpzZWNyZXQ="
	want := []string{"GET " + plain.Listener.Addr().String() + auth, "CONNECT " + secure.Listener.Addr().String() + auth}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Equal(p.seen, want) {
		t.Errorf("proxy saw %q, want %q", p.seen, want)
	}
}

// TestCookies: the jar's cookies are sent, and those of the 101 kept.
func TestCookies(t *testing.T) {
	cookies := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		cookies <- r.Header.Get("Cookie")
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "2"})
		res, err := Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		res.Conn.Close()
	}))
	defer s.Close()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: "1"}})
	for _, want := range []string{"session=1", "session=2"} {
		res, _, err := Dial(t.Context(), strings.Replace(s.URL, "http", "ws", 1), &DialOptions{HTTPClient: &http.Client{Jar: jar}})
		if err != nil {
			t.Fatal(err)
		}
		res.Conn.Close()
		if got := <-cookies; got != want {
			t.Errorf("sent %q, want %q", got, want)
		}
	}
}

// TestUserInfo: a user in the URL becomes Basic authentication, as in net/http.
func TestUserInfo(t *testing.T) {
	auth := make(chan string, 1)
	client := scripted(func(nc net.Conn, r *http.Request) {
		user, password, _ := r.BasicAuth()
		auth <- user + " " + password
		nc.Close()
	})
	Dial(t.Context(), "ws://user:secret@example.com/", &DialOptions{HTTPClient: client})
	if got := <-auth; got != "user secret" {
		t.Errorf("server saw %q", got)
	}
}
