package proof

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// certificate returns one for a name, which is its own issuer.
func certificate(t *testing.T, name string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// A tlsServer greets each client with the name in its certificate, and tells how it has ended.
type tlsServer struct {
	l     *pipe.Listener
	ended chan error
}

// tlsServers are the ways to serve TLS.
var tlsServers = map[string]func(s *conn.Server, l net.Listener, config *tls.Config){
	"net/http": func(s *conn.Server, l net.Listener, config *tls.Config) {
		web := &http.Server{Handler: s, TLSConfig: config, ErrorLog: log.New(io.Discard, "", 0)}
		_ = web.ServeTLS(l, "", "")
	},
	"raw": func(s *conn.Server, l net.Listener, config *tls.Config) { _ = s.ServeConns(tls.NewListener(l, config)) },
}

func serveTLS(t *testing.T, serve func(*conn.Server, net.Listener, *tls.Config), config *tls.Config) *tlsServer {
	s := &tlsServer{pipe.Listen(), make(chan error, 1)}
	t.Cleanup(func() { s.l.Close() })
	go serve(&conn.Server{
		OnRefuse: func(*http.Request, error) {},
		Serve: func(ctx context.Context, c *conn.Conn, r *http.Request) error {
			name := "nobody"
			if certs := r.TLS.PeerCertificates; len(certs) > 0 {
				name = certs[0].DNSNames[0]
			}
			err := c.Write(ctx, conn.Text, []byte(name))
			if err == nil {
				_, _, err = c.Read(ctx)
			}
			s.ended <- err
			return err
		},
	}, s.l, config)
	return s
}

// dial returns a connection to the server, and the TCP connection that is below.
func (s *tlsServer) dial(t *testing.T, config *tls.Config) (*conn.Conn, net.Conn, error) {
	t.Helper()
	var below net.Conn
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tr := &http.Transport{TLSClientConfig: config, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := s.l.DialContext(ctx, network, addr)
		below = nc
		return nc, err
	}}
	c, _, err := conn.Dial(ctx, "wss://example.com/", &conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: &http.Client{Transport: tr}}})
	return c, below, err
}

// Who a server or client is not, by its certificate, is told by Dial; a client's certificate reaches the
// server; HTTP/2 is not agreed on by accident.
func TestTLS(t *testing.T) {
	ours, pool := certificate(t, "example.com")
	theirs, theirPool := certificate(t, "friend.example")
	stranger, _ := certificate(t, "stranger.example")
	required := &tls.Config{Certificates: []tls.Certificate{ours}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: theirPool}
	other, otherPool := certificate(t, "other.example")
	// In TLS 1.3 a client is ready before the server has judged its certificate, so that it may hear of the
	// refusal, or find that it can't write its request.
	const refusal = "websocket: dial: "
	for _, tt := range []struct {
		name           string
		server, client *tls.Config
		want           string // the server's greeting
		err            string // of Dial, or of the first Read
	}{
		{"a name that fits", &tls.Config{Certificates: []tls.Certificate{ours}}, &tls.Config{RootCAs: pool}, "nobody", ""},
		{"another name", &tls.Config{Certificates: []tls.Certificate{other}}, &tls.Config{RootCAs: otherPool}, "", "not example.com"},
		{"another issuer", &tls.Config{Certificates: []tls.Certificate{ours}}, &tls.Config{RootCAs: otherPool}, "", "unknown authority"},
		{"a client's certificate", required, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{theirs}}, "friend.example", ""},
		{"no client's certificate", required, &tls.Config{RootCAs: pool}, "", refusal},
		{"a stranger's certificate", required, &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{stranger}}, "", refusal},
		{"both offer h2", &tls.Config{Certificates: []tls.Certificate{ours}, NextProtos: []string{"h2", "http/1.1"}}, &tls.Config{RootCAs: pool, NextProtos: []string{"h2", "http/1.1"}}, "nobody", ""},
		{"TLS 1.2", &tls.Config{Certificates: []tls.Certificate{ours}, MaxVersion: tls.VersionTLS12}, &tls.Config{RootCAs: pool}, "nobody", ""},
		{"no common version", &tls.Config{Certificates: []tls.Certificate{ours}, MinVersion: tls.VersionTLS13}, &tls.Config{RootCAs: pool, MaxVersion: tls.VersionTLS12}, "", "protocol version"},
	} {
		for name, serve := range tlsServers {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				s := serveTLS(t, serve, tt.server.Clone())
				c, _, err := s.dial(t, tt.client.Clone())
				var got []byte
				if err == nil {
					defer c.CloseNow()
					_, got, err = c.Read(t.Context())
				}
				if tt.err != "" {
					if err == nil || !strings.Contains(err.Error(), tt.err) {
						t.Fatalf("%q, %v; want an error with %q", got, err, tt.err)
					}
					return
				}
				if err != nil || string(got) != tt.want {
					t.Fatalf("%q, %v; want %q", got, err, tt.want)
				}
				if err := c.Close(1000, ""); err != nil {
					t.Fatal(err)
				}
				<-s.ended
			})
		}
	}
}

// A stream that somebody on the way cuts is never taken for one that has ended well: with or without
// close_notify (RFC 8446, section 6.1), what counts is the Close frame (RFC 6455, section 7.1.5).
func TestTLSTruncation(t *testing.T) {
	ours, pool := certificate(t, "example.com")
	for way, cut := range map[string]func(c *conn.Conn, below net.Conn){
		"the end of TCP":       func(_ *conn.Conn, below net.Conn) { below.Close() },
		"close_notify":         func(c *conn.Conn, _ net.Conn) { c.CloseNow() },
		"half of a TLS record": func(_ *conn.Conn, below net.Conn) { below.Write([]byte{23, 3, 3, 0, 100, 1, 2, 3}); below.Close() },
		"a record that is none": func(_ *conn.Conn, below net.Conn) {
			below.Write([]byte("\x17\x03\x03\x00\x20" + strings.Repeat("x", 32)))
		},
	} {
		for name, serve := range tlsServers {
			t.Run(way+"/"+name, func(t *testing.T) {
				s := serveTLS(t, serve, &tls.Config{Certificates: []tls.Certificate{ours}})
				c, below, err := s.dial(t, &tls.Config{RootCAs: pool})
				if err != nil {
					t.Fatal(err)
				}
				defer c.CloseNow()
				if _, _, err := c.Read(t.Context()); err != nil {
					t.Fatal(err)
				}
				cut(c, below)
				if err := <-s.ended; !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("the server was told %v", err)
				}
			})
		}
	}
	// The same for a client: the server's TCP ends after its answer, and after half of a message.
	for _, n := range []int{0, 1} {
		l := pipe.Listen()
		defer l.Close()
		go func() {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			defer nc.Close() // without close_notify
			s := tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{ours}})
			hs, err := handshake.AcceptConn(s, nil)
			if err == nil {
				hs.Conn.Write([]byte("\x81\x05he"[:2*2*n]))
			}
		}()
		c, _, err := (&tlsServer{l: l}).dial(t, &tls.Config{RootCAs: pool})
		if err != nil {
			t.Fatal(err)
		}
		if _, p, err := c.Read(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("the client was told %q, %v", p, err)
		}
		c.CloseNow()
	}
}
