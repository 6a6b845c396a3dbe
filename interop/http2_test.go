//lint:file-ignore SA1019 the client of net/http does not send extended CONNECT

package interop

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/parleyws/parley/handshake"
)

// TestExtendedConnect: a program with GODEBUG=http2xconnect=1 offers extended CONNECT (RFC 8441) to every
// client, and browsers use it then. It is refused, and the connection's other requests are served. Another
// program does not offer it.
func TestExtendedConnect(t *testing.T) {
	refused := make(chan error, 1)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			_, err := handshake.Accept(w, r, nil)
			refused <- err
		}
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	defer s.Close()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig
	config.NextProtos = []string{"h2"}
	tr := &http2.Transport{TLSClientConfig: config}
	defer tr.CloseIdleConnections()

	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodConnect, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{":protocol": {"websocket"}, "Sec-Websocket-Version": {"13"}, "Origin": {s.URL}}
		resp, err := tr.RoundTrip(r)
		if !strings.Contains(os.Getenv("GODEBUG"), "http2xconnect=1") {
			if err == nil {
				t.Error("extended CONNECT was offered")
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if e, ok := errors.AsType[*handshake.Error](<-refused); !ok || resp.StatusCode != e.Status || e.Status != http.StatusNotImplemented {
			t.Errorf("status %s, want %d", resp.Status, http.StatusNotImplemented)
		}
	}
	if resp, err := (&http.Client{Transport: tr}).Get(s.URL); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("the next request: %v, %v", resp, err)
	}
}
