package engineio

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/url"
	"time"
)

// A Handshake describes the request that opened a session.
type Handshake struct {
	Header     http.Header // of the request
	URL        *url.URL    // path and query
	Host       string
	RemoteAddr string    // of the connection; if there is a proxy, the proxy's
	Secure     bool      // TLS ended at this server
	Time       time.Time // when the session opened
}

// A kept is what a session keeps of its request: one string after the other,
// each after its length. The http.Request takes several times as much memory,
// as long as the session lives, and is rarely looked at again.
type kept []byte

// keep returns what a session keeps of r.
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

// next removes the first string and returns it.
func (k *kept) next() string {
	length, n := binary.Uvarint(*k)
	end := n + int(length)
	s := string((*k)[n:end])
	*k = (*k)[end:]
	return s
}

// handshake returns the request from which k was made.
func (k kept) handshake() *Handshake {
	h := &Handshake{Host: k.next(), RemoteAddr: k.next(), Header: make(http.Header)}
	target := k.next()
	var err error
	if h.URL, err = url.ParseRequestURI(target); err != nil {
		h.URL = &url.URL{Opaque: target} // a request that did not come by HTTP
	}
	for len(k) > 0 {
		name := k.next()
		h.Header[name] = append(h.Header[name], k.next())
	}
	return h
}
