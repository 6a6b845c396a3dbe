package engineio

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/url"
	"time"
)

// A Handshake is what is known of the request that opened a session.
type Handshake struct {
	Header     http.Header // of the request
	URL        *url.URL    // path and query
	Host       string
	RemoteAddr string // of the connection: behind a proxy, the proxy's
	Secure     bool   // TLS ended at this server
	Time       time.Time
}

// A kept is what a session keeps of its request: the strings behind each other,
// each behind its length. A request of net/http takes a few times as much
// memory, for as long as the session lives, and hardly anybody looks at it twice.
type kept []byte

// keep returns what is to be kept of r.
func keep(r *http.Request) kept {
	b := make([]byte, 0, 1024)
	b = appendKept(b, r.Host)
	b = appendKept(b, r.RemoteAddr)
	b = appendKept(b, r.URL.RequestURI())
	for name, values := range r.Header {
		for _, v := range values {
			b = appendKept(b, name)
			b = appendKept(b, v)
		}
	}
	return bytes.Clone(b)
}

func appendKept(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// next takes the first string away.
func (k *kept) next() string {
	length, n := binary.Uvarint(*k)
	end := n + int(length)
	s := string((*k)[n:end])
	*k = (*k)[end:]
	return s
}

// handshake returns the request that k was made of.
func (k kept) handshake() *Handshake {
	h := &Handshake{Host: k.next(), RemoteAddr: k.next(), Header: make(http.Header)}
	target := k.next()
	var err error
	if h.URL, err = url.ParseRequestURI(target); err != nil {
		h.URL = &url.URL{Opaque: target} // not of a request that came by HTTP
	}
	for len(k) > 0 {
		name := k.next()
		h.Header[name] = append(h.Header[name], k.next())
	}
	return h
}
