//go:build !purego

// FIPS 140-3 mode is there only where crypto has its assembly.

package handshake

import (
	"crypto/fips140"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/parleyws/parley/internal/pipe"
)

// fipsOnly is the setting of GODEBUG under which SHA-1 panics.
const fipsOnly = "fips140=only"

// TestFIPS runs TestFIPSHandshakes in a process of its own, which can have the
// setting from its start on.
func TestFIPS(t *testing.T) {
	if fips140.Enforced() {
		t.Skip("the setting is on already")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFIPSHandshakes$", "-test.v", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), "GODEBUG="+fipsOnly, "GOCOVERDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: TestFIPSHandshakes ") {
		t.Errorf("with GODEBUG=%s: %v\n%s", fipsOnly, err, out)
	}
}

// TestFIPSHandshakes opens connections in every way that there is, over TLS too,
// where nothing but what FIPS 140-3 approves of is allowed.
func TestFIPSHandshakes(t *testing.T) {
	if !fips140.Enforced() {
		t.Skip("needs GODEBUG=" + fipsOnly)
	}
	handler := echo(t, &Options{Deflate: new(DeflateOptions)})
	plain := httptest.NewServer(handler)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(handler)
	config := tlsConfig(t)
	secure.TLS = config.server
	secure.StartTLS()
	defer secure.Close()
	secure.Client().Transport.(*http.Transport).TLSClientConfig = config.client
	for _, s := range []*httptest.Server{plain, secure} {
		o := &DialOptions{HTTPClient: s.Client(), Deflate: new(DeflateOptions)}
		res, _, err := Dial(t.Context(), s.URL, o)
		if err != nil {
			t.Fatal(err)
		}
		if res.Deflate == nil {
			t.Error("no compression was agreed on")
		}
		got := make([]byte, 5)
		io.WriteString(res.Conn, "hello")
		if _, err := io.ReadFull(res.Conn, got); err != nil || string(got) != "hello" {
			t.Errorf("%q, %v", got, err)
		}
		res.Conn.Close()
	}
	a, b := pipe.New()
	defer a.Close()
	defer b.Close()
	io.WriteString(a, sample(""))
	if _, err := AcceptConn(b, nil); err != nil {
		t.Error(err)
	}
}
