package interop

import (
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"github.com/lxzan/gws"

	"github.com/parleyws/parley/autobahn/suite"
	"github.com/parleyws/parley/internal/pipe"
)

// The verdicts of the Autobahn suite on gorilla and gws as echo servers are
// known. All cases are OK except 6.4.1 to 6.4.4, which are NON-STRICT, because
// both libraries check text only when it is complete. Our own form of the suite
// must give the same verdicts in ModeSuite.
func TestAutobahn(t *testing.T) {
	for name, handler := range map[string]http.Handler{
		"gorilla": http.HandlerFunc(echoWithGorilla),
		"gws":     http.HandlerFunc(echoWithGWS),
	} {
		for _, c := range suite.Cases() {
			t.Run(name+"/"+c.ID, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { referee(t, c, handler) })
			})
		}
	}
}

func referee(t *testing.T, c suite.Case, handler http.Handler) {
	ours, theirs := pipe.New()
	listener := newOnce(theirs)
	server := &http.Server{Handler: handler}
	go server.Serve(listener)
	defer server.Close()
	v := suite.RunServer(ours, c, &suite.Options{Mode: suite.ModeSuite, Messages: 3, Turn: synctest.Wait})
	want, wantClose := suite.OK, suite.OK
	switch {
	case strings.HasPrefix(c.ID, "6.4."):
		want = suite.NonStrict
	case c.ID == "7.1.6" || strings.HasPrefix(c.ID, "7.13."):
		want, wantClose = suite.Informational, suite.Informational
	}
	if v.Behaviour != want || v.BehaviourClose != wantClose {
		t.Errorf("expected %s, close %s: %v", want, wantClose, v)
	}
}

func echoWithGorilla(w http.ResponseWriter, r *http.Request) {
	upgrader := websocket.Upgrader{EnableCompression: true}
	c, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	for {
		kind, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		if kind == websocket.TextMessage && !utf8.Valid(p) {
			reason := websocket.FormatCloseMessage(websocket.CloseInvalidFramePayloadData, "")
			c.WriteControl(websocket.CloseMessage, reason, time.Time{})
			return
		}
		if err := c.WriteMessage(kind, p); err != nil {
			return
		}
	}
}

func echoWithGWS(w http.ResponseWriter, r *http.Request) {
	upgrader := gws.NewUpgrader(gwsEcho{}, &gws.ServerOption{
		CheckUtf8Enabled:   true,
		ReadMaxPayloadSize: 32 << 20,
		PermessageDeflate: gws.PermessageDeflate{
			Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true, Threshold: 1,
		},
	})
	c, err := upgrader.Upgrade(w, r)
	if err != nil {
		return
	}
	c.ReadLoop()
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnPing(c *gws.Conn, p []byte) { c.WritePong(p) }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	c.WriteMessage(m.Opcode, m.Bytes())
}

// A once is a listener that accepts only one connection.
type once struct {
	nc     chan net.Conn
	closed chan struct{}
	close  func()
	addr   net.Addr
}

func newOnce(nc net.Conn) *once {
	l := &once{nc: make(chan net.Conn, 1), closed: make(chan struct{}), addr: nc.LocalAddr()}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	l.nc <- nc
	return l
}

func (l *once) Accept() (net.Conn, error) {
	select {
	case nc := <-l.nc:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *once) Close() error   { l.close(); return nil }
func (l *once) Addr() net.Addr { return l.addr }
