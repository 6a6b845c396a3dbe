package suite_test

import (
	"context"
	"flag"
	"net"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/autobahn/suite"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

var inLoop = flag.Bool("loop", false, "have a loop serve the connections")

var messages = flag.Int("messages", 0, "how many messages the cases of 12 and 13 send: 1000 are all of them, 0 is fewer for large ones")

// TestServer plays all cases against conn as a server.
func TestServer(t *testing.T) {
	for _, c := range suite.Cases() {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				verify(t, c, suite.RunServer, serve, nil)
			})
		})
	}
}

// TestClient plays all cases against conn as a client.
func TestClient(t *testing.T) {
	for _, c := range suite.Cases() {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				verify(t, c, suite.RunClient, dial, nil)
			})
		})
	}
}

// TestServerMaskKeys plays the cases that depend on the bytes of payloads, with
// a key that changes nothing, and with keys under which no masked text is
// UTF-8.
func TestServerMaskKeys(t *testing.T) {
	for name, key := range map[string][4]byte{"zero": {}, "high bits": {0x80, 0xFF, 0xC0, 0xF5}} {
		for _, c := range suite.Cases() {
			if !matches(c.ID, "[1-7].* 10.*") {
				continue
			}
			t.Run(name+"/"+c.ID, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					verify(t, c, suite.RunServer, serve, func() [4]byte { return key })
				})
			})
		}
	}
}

type referee func(net.Conn, suite.Case, *suite.Options) suite.Verdict

// verify plays c in ModeStrict against the endpoint. 7.1.6, 7.13.1 and 7.13.2 are
// informational; all other cases must be OK.
func verify(t *testing.T, c suite.Case, run referee, endpoint func(net.Conn) error, key func() [4]byte) {
	t.Helper()
	a, b := pipe.New()
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		if err := endpoint(b); err != nil {
			ended <- err
		}
	}()
	v := run(a, c, &suite.Options{Messages: *messages, MaskKey: key, Turn: synctest.Wait})
	want := suite.OK
	if matches(c.ID, "7.1.6 7.13.*") {
		want = suite.Informational
	}
	if v.Behaviour != want || v.BehaviourClose != want {
		t.Errorf("%s: %v", c.Title, v)
	}
	if err := <-ended; err != nil {
		t.Error("endpoint: ", err)
	}
}

var (
	deflate = handshake.DeflateOptions{ServerContextTakeover: true, ClientContextTakeover: true}
	options = conn.Options{
		Limits:      conn.Limits{Message: 64 << 20},
		Compression: conn.Compression{MinSize: -1},
	}
)

func serve(nc net.Conn) error { return serveWith(nc, &deflate) }
func dial(nc net.Conn) error  { return dialWith(nc, &deflate) }

// serveWith runs an echo server on nc. It returns the error of the handshake.
func serveWith(nc net.Conn, deflate *handshake.DeflateOptions) error {
	hs, err := handshake.AcceptConn(nc, &handshake.Options{Deflate: deflate})
	if err != nil {
		return err
	}
	c, err := conn.New(hs, conn.RoleServer, shelled())
	if err != nil {
		return err
	}
	echo(c)
	return nil
}

// dialWith runs an echo client on nc. It returns the error of the handshake.
func dialWith(nc net.Conn, deflate *handshake.DeflateOptions) error {
	transport := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nc, nil },
	}
	c, _, err := conn.Dial(context.Background(), "ws://localhost/", &conn.DialOptions{
		Handshake: handshake.DialOptions{HTTPClient: &http.Client{Transport: transport}, Deflate: deflate},
		Conn:      *shelled(),
	})
	if err != nil {
		return err
	}
	echo(c)
	return nil
}

// shelled returns the options of one connection. With -loop a loop of its own serves it, in
// the connection's bubble.
func shelled() *conn.Options {
	o := options
	if *inLoop {
		o.Loop = &conn.Loop{}
	}
	return &o
}

func echo(c *conn.Conn) {
	ended := make(echoing)
	c.Receive(ended)
	<-ended
	_ = c.CloseNow()
}

// An echoing is a conn.Receiver that sends back what comes, and is closed at the end. How
// the connection ends the referee judges.
type echoing chan struct{}

func (echoing) Message(c *conn.Conn, m conn.Message) error {
	return c.Write(context.Background(), m.Type, m.Payload)
}

func (e echoing) Ended(*conn.Conn, error) { close(e) }
