package engineio

import (
	"encoding/binary"
	"net/http"
	"net/url"
)

// A kept is what a session keeps: its id, and then of its request Host, RemoteAddr, the
// target, and the name and the value of each header field. The http.Request takes
// several times as much memory, as long as the session lives, and is rarely looked at again.
//
// A string is a number that tells what it is, as a uvarint, and perhaps bytes:
//
//	n < len(familiar)      familiar[n]; no bytes follow
//	n >= len(familiar)     the n-len(familiar) bytes that follow
type kept string

// familiar are strings that are in the requests of many clients. Those of one that
// speaks nothing but WebSocket take 10 bytes in this way instead of 110.
var familiar = []string{
	"", "/socket.io/?EIO=4&transport=websocket", "/engine.io/?EIO=4&transport=websocket",
	"Connection", "Upgrade", "upgrade", "keep-alive", "keep-alive, Upgrade", "websocket",
	"Sec-Websocket-Version", "13", "Sec-Websocket-Key", "Sec-Websocket-Protocol",
	"Sec-Websocket-Extensions", "permessage-deflate", "permessage-deflate; client_max_window_bits",
	"User-Agent", "Origin", "Cookie", "Authorization", "Referer",
	"Accept", "*/*", "Accept-Language", "en-US,en;q=0.9",
	"Accept-Encoding", "gzip", "gzip, deflate", "gzip, deflate, br", "gzip, deflate, br, zstd",
	"Cache-Control", "Pragma", "no-cache",
	"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "empty", "cors", "same-origin", "same-site", "cross-site",
	"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip", "http", "https",
}

// numbers has the index of each string in familiar.
var numbers = func() map[string]uint64 {
	m := make(map[string]uint64, len(familiar))
	for i, s := range familiar {
		m[s] = uint64(i)
	}
	return m
}()

// keep returns what a session with an id keeps, which r has opened.
func keep(id string, r *http.Request) kept {
	b := make([]byte, 0, 1024)
	for _, s := range [...]string{id, r.Host, r.RemoteAddr, r.URL.RequestURI()} {
		b = appendKept(b, s)
	}
	for name, values := range r.Header {
		for _, v := range values {
			b = appendKept(b, name)
			b = appendKept(b, v)
		}
	}
	return kept(b)
}

func appendKept(b []byte, s string) []byte {
	if n, ok := numbers[s]; ok {
		return binary.AppendUvarint(b, n)
	}
	return append(binary.AppendUvarint(b, uint64(len(familiar)+len(s))), s...)
}

// next returns the first string, and what follows it.
func (k kept) next() (s string, rest kept) {
	var head [binary.MaxVarintLen64]byte
	number, size := binary.Uvarint(head[:copy(head[:], k)])
	k = k[size:]
	if number < uint64(len(familiar)) {
		return familiar[number], k
	}
	end := int(number) - len(familiar)
	return string(k[:end]), k[end:]
}

// id returns the session's id.
func (k kept) id() string {
	id, _ := k.next()
	return id
}

// handshake returns the request from which k was made.
func (k kept) handshake() *Handshake {
	h := &Handshake{Header: make(http.Header)}
	var target, name, value string
	_, k = k.next() // the id
	h.Host, k = k.next()
	h.RemoteAddr, k = k.next()
	target, k = k.next()
	var err error
	if h.URL, err = url.ParseRequestURI(target); err != nil {
		h.URL = &url.URL{Opaque: target} // a request that did not come by HTTP
	}
	for len(k) > 0 {
		name, k = k.next()
		value, k = k.next()
		h.Header[name] = append(h.Header[name], value)
	}
	return h
}
