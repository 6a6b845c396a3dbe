package conn_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// A stream is a kind of stream that a Conn may run over.
type stream struct {
	name string
	make func(t testing.TB) (server, client net.Conn)
}

var streams = []stream{{"pipe", pipePair}, {"TCP", tcpPair}, {"TLS", tlsPair}}

// allStreams runs f with each kind of stream.
func allStreams(t *testing.T, f func(t *testing.T, s stream)) {
	for _, s := range streams {
		t.Run(s.name, func(t *testing.T) { f(t, s) })
	}
}

// conns returns two Conns that are connected through s, and end with the test.
func (s stream) conns(t testing.TB, o *conn.Options) (server, client *conn.Conn) {
	a, b := s.make(t)
	server = must(conn.New(&handshake.Result{Conn: a}, conn.RoleServer, o))
	client = must(conn.New(&handshake.Result{Conn: b}, conn.RoleClient, o))
	t.Cleanup(func() {
		server.CloseNow()
		client.CloseNow()
	})
	return server, client
}

func pipePair(testing.TB) (server, client net.Conn) { return pipe.New() }

func tcpPair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan error, 1)
	go func() {
		var err error
		server, err = ln.Accept()
		accepted <- err
	}()
	client, err = net.Dial("tcp", ln.Addr().String())
	if err := errors.Join(err, <-accepted); err != nil {
		t.Fatal(err)
	}
	return server, client
}

func tlsPair(t testing.TB) (server, client net.Conn) {
	t.Helper()
	a, b := tcpPair(t)
	config, err := tlsConfig()
	if err != nil {
		t.Fatal(err)
	}
	s, c := tls.Server(a, config), tls.Client(b, config)
	shaken := make(chan error, 1)
	go func() { shaken <- s.Handshake() }()
	if err := errors.Join(c.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// tlsConfig returns a configuration for both sides, with a certificate of its own.
var tlsConfig = sync.OnceValues(func() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"parley.test"},
		NotBefore:    time.Unix(0, 0), // in a bubble it is the year 2000
		NotAfter:     time.Now().AddDate(100, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:      roots,
		ServerName:   "parley.test",
	}, nil
})
