// Package harness holds the common parts of the report's servers: their
// listeners, their flags, and their reports of processor time and memory.
package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/parleyws/parley/bench/proc"
)

// A Work says what a server does with its connections.
type Work struct {
	// Idle says that memory is measured. A server then uses the smallest buffers
	// that its library's documentation offers.
	Idle bool
	// JSON says that each message is decoded before it is sent back.
	JSON bool
	// Takeover turns permessage-deflate on, with context takeover both ways.
	Takeover bool
	// Klauspost selects klauspost/compress, if the library lets one choose.
	Klauspost bool
}

// Keepalive is how often a server pings a connection.
const Keepalive = 25 * time.Second

// Run calls serve, which serves until the standard input ends.
func Run(serve func(net.Listener, Work) error) {
	var work Work
	flag.BoolVar(&work.Idle, "idle", false, "prefer little memory")
	flag.BoolVar(&work.JSON, "json", false, "decode each message")
	flag.BoolVar(&work.Takeover, "takeover", false, "permessage-deflate with context takeover")
	flag.BoolVar(&work.Klauspost, "klauspost", false, "klauspost/compress where there is a choice")
	secure := flag.Bool("tls", false, "serve TLS")
	flag.Parse()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	address := l.Addr().String()
	if *secure {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{certificate()}})
	}
	go func() { fail(serve(l, work)) }()
	proc.Serve(address, map[string]proc.Handler{"cpu": CPU, "memory": proc.Memory, "profile": Profile})
}

// HTTP is like Run, for libraries that upgrade requests of net/http.
func HTTP(handler func(Work) http.HandlerFunc) {
	Run(func(l net.Listener, work Work) error {
		s := &http.Server{Handler: handler(work)}
		return s.Serve(l)
	})
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// CPU answers with the processor time that this process has used, in
// nanoseconds.
func CPU(json.RawMessage) (any, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return nil, err
	}
	return u.Utime.Nano() + u.Stime.Nano(), nil
}

// Profile starts to write a profile of the processor time to a file. Without a
// file name it stops.
func Profile(args json.RawMessage) (any, error) {
	var file string
	if err := json.Unmarshal(args, &file); err != nil {
		return nil, err
	}
	if file == "" {
		pprof.StopCPUProfile()
		return nil, nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	return nil, pprof.StartCPUProfile(f)
}

// Ping calls ping every Keepalive until ping fails. It uses a timer, so that a
// library without a keepalive gets one with little memory.
func Ping(ping func() error) (stop func() bool) {
	var t *time.Timer
	t = time.AfterFunc(Keepalive, func() {
		if ping() == nil {
			t.Reset(Keepalive)
		}
	})
	return t.Stop
}

// A Message is the JSON message that clients send.
type Message struct {
	Room string   `json:"room"`
	Text string   `json:"text"`
	Tags []string `json:"tags"`
}

// Decode decodes p if work.JSON is set.
func (w Work) Decode(p []byte) error {
	if !w.JSON {
		return nil
	}
	var m Message
	return json.Unmarshal(p, &m)
}

// certificate makes a certificate, which no client verifies.
func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fail(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		fail(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
