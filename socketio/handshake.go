package socketio

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// A Handshake describes the request and the CONNECT packet with which a socket has
// come.
type Handshake struct {
	Header  http.Header // of the request
	Time    time.Time
	Issued  int64  // Time in milliseconds since 1970
	Address string // of the client, without a port; if there is a proxy, the proxy's
	XDomain bool   // the request had an Origin
	Secure  bool   // TLS ended at this server
	URL     string // path and query
	Query   url.Values
	Auth    json.RawMessage // a JSON object, which must not be modified
}

// Handshake describes the request and the CONNECT packet with which the socket has
// come. Each call returns a new value, which belongs to the caller except for Auth.
func (s *Socket) Handshake() Handshake {
	h := s.session.Handshake()
	address, _, err := net.SplitHostPort(h.RemoteAddr)
	if err != nil {
		address = h.RemoteAddr
	}
	return Handshake{
		Header: h.Header, Time: h.Time, Issued: h.Time.UnixMilli(), Address: address,
		XDomain: h.Header.Get("Origin") != "", Secure: h.Secure,
		URL: h.URL.RequestURI(), Query: h.URL.Query(), Auth: s.auth,
	}
}

// jsTime is the format in which JavaScript writes a Date.
const jsTime = "Mon Jan 02 2006 15:04:05 GMT-0700 (Coordinated Universal Time)"

// MarshalJSON writes the handshake as the JavaScript API has it: the names of
// header fields in lower case, fields and parameters that come once as strings.
func (h Handshake) MarshalJSON() ([]byte, error) {
	headers := make(map[string]string, len(h.Header))
	for name, values := range h.Header {
		separator := ", "
		if name == "Cookie" {
			separator = "; "
		}
		headers[strings.ToLower(name)] = strings.Join(values, separator)
	}
	query := make(map[string]any, len(h.Query))
	for name, values := range h.Query {
		if query[name] = values; len(values) == 1 {
			query[name] = values[0]
		}
	}
	auth := h.Auth
	if len(auth) == 0 {
		auth = json.RawMessage("{}")
	}
	return json.Marshal(struct {
		Headers map[string]string `json:"headers"`
		Time    string            `json:"time"`
		Address string            `json:"address"`
		XDomain bool              `json:"xdomain"`
		Secure  bool              `json:"secure"`
		Issued  int64             `json:"issued"`
		URL     string            `json:"url"`
		Query   map[string]any    `json:"query"`
		Auth    json.RawMessage   `json:"auth"`
	}{headers, h.Time.UTC().Format(jsTime), h.Address, h.XDomain, h.Secure, h.Issued, h.URL, query, auth})
}
