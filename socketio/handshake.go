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
		URL: h.URL.RequestURI(), Query: h.URL.Query(), Auth: s.sentAuth(),
	}
}

// jsTime is the format in which JavaScript writes a Date.
const jsTime = "Mon Jan 02 2006 15:04:05 GMT-0700 (Coordinated Universal Time)"

// jsTimeRead is jsTime without the name of the zone, which differs.
const jsTimeRead = "Mon Jan 02 2006 15:04:05 GMT-0700"

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

// UnmarshalJSON reads what MarshalJSON or a server in JavaScript has written. A header
// field has one value then. A time that can't be read is that of Issued.
func (h *Handshake) UnmarshalJSON(data []byte) error {
	var in struct {
		Headers map[string]stringOrList `json:"headers"`
		Time    any                     `json:"time"`
		Address string                  `json:"address"`
		XDomain bool                    `json:"xdomain"`
		Secure  bool                    `json:"secure"`
		Issued  float64                 `json:"issued"`
		URL     string                  `json:"url"`
		Query   map[string]stringOrList `json:"query"`
		Auth    json.RawMessage         `json:"auth"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*h = Handshake{
		Header: make(http.Header, len(in.Headers)), Issued: int64(in.Issued), Address: in.Address,
		XDomain: in.XDomain, Secure: in.Secure, URL: in.URL, Query: make(url.Values, len(in.Query)), Auth: in.Auth,
	}
	for name, values := range in.Headers {
		h.Header[http.CanonicalHeaderKey(name)] = values
	}
	for name, values := range in.Query {
		h.Query[name] = values
	}
	h.Time = time.UnixMilli(h.Issued).UTC()
	if text, ok := in.Time.(string); ok {
		text, _, _ = strings.Cut(text, " (")
		if t, err := time.Parse(jsTimeRead, text); err == nil && t.Unix() != h.Time.Unix() {
			h.Time = t.UTC() // Issued has milliseconds, if it is the same second
		}
	}
	return nil
}

// A stringOrList is a JSON string, or an array of strings. Of anything else, such as the
// nested parameters of a query in JavaScript, it has the JSON.
type stringOrList []string

func (l *stringOrList) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, (*[]string)(l)) == nil {
		return nil
	}
	*l = make([]string, 1)
	if json.Unmarshal(data, &(*l)[0]) != nil {
		(*l)[0] = string(data)
	}
	return nil
}
