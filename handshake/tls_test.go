package handshake

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/internal/pipe"
)

// tlsConfigs are the two sides of a connection with a certificate of its own.
type tlsConfigs struct{ server, client *tls.Config }

// tlsConfig makes a certificate for example.com and the loopback address.
func tlsConfig(t *testing.T) tlsConfigs {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"example.com"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter:     time.Now().Add(24 * time.Hour),
		// In a synctest bubble it is the year 2000.
		NotBefore: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return tlsConfigs{
		server: &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		client: &tls.Config{RootCAs: roots, ServerName: "example.com"},
	}
}

// TestProxyNoTLS: the connection to a proxy that should have TLS, and has not, is closed.
func TestProxyNoTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		tr := &http.Transport{
			Proxy: http.ProxyURL(&url.URL{Scheme: "https", Host: "proxy.example.com"}),
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				a, b := pipe.New()
				go func() {
					io.WriteString(b, "HTTP/1.1 400 Bad Request\r\n\r\n")
					io.Copy(io.Discard, b) // ends when the connection does
					close(gone)
				}()
				return a, nil
			},
		}
		if _, _, err := Dial(t.Context(), "ws://example.com/", &DialOptions{HTTPClient: &http.Client{Transport: tr}}); err == nil {
			t.Error("no error")
		}
		<-gone
	})
}

// TestRefusalEndsTLS: the connection of a request that was refused is closed, since the copy of
// the transport that has made it is used for no other.
func TestRefusalEndsTLS(t *testing.T) {
	config := tlsConfig(t)
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan struct{})
		tr := &http.Transport{
			TLSClientConfig: config.client,
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				a, b := pipe.New()
				go func() {
					secure := tls.Server(b, config.server)
					in := bufio.NewReader(secure)
					http.ReadRequest(in)
					io.WriteString(secure, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
					io.Copy(io.Discard, in) // ends when the connection does
					close(gone)
				}()
				return a, nil
			},
		}
		_, _, err := Dial(t.Context(), "wss://example.com/", &DialOptions{HTTPClient: &http.Client{Transport: tr}})
		if _, ok := errors.AsType[*DialError](err); !ok {
			t.Errorf("error %v", err)
		}
		<-gone
	})
}
