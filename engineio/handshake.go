package engineio

import (
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
