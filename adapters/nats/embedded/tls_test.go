package embedded_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/nats/embedded"
)

// certificate returns a configuration whose certificate both sides of a connection know.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:      pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
}

// Nodes whose certificates know each other are connected, others are not, nor is one that
// has none.
func TestTLS(t *testing.T) {
	config := certificate(t)
	a := start(t, embedded.Options{TLS: config})
	peers := []string{a.c.Addr().String()}
	b := start(t, embedded.Options{Peers: peers, TLS: config})
	other, plain := start(t, embedded.Options{Peers: peers, TLS: certificate(t)}), start(t, embedded.Options{Peers: peers})
	a.knows(2)
	b.knows(2)
	other.knows(1)
	plain.knows(1)
	got := b.dial("x")
	until(t, "an event arrives", func() bool {
		if err := a.io.To("x").Emit("n", 1); err != nil {
			t.Error(err)
		}
		return len(got) > 0
	})
	a.knows(2)
	if s := plain.c.Stats(); s.Received > 0 || s.Nodes > 0 {
		t.Errorf("%+v", s)
	}
}
