package proof

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// puppet returns an HTTP client whose connections have, at their other end, a server that
// opens a WebSocket and sends some texts: the first at once, and each other one after a
// message of the client. Then its end is told to peers.
func (a *arena) puppet(peers chan<- *wstest.Peer, texts ...string) *http.Client {
	var running sync.WaitGroup
	a.later(running.Wait)
	t := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := pipe.New()
		a.later(func() { theirs.Close() })
		running.Go(func() {
			if _, err := theirs.Write([]byte(opened(theirs) + "\r\n")); err != nil {
				return
			}
			p := wstest.NewPeer(a, theirs, conn.RoleServer)
			for n, text := range texts {
				if n > 0 {
					if _, err := p.Next(); err != nil {
						return
					}
				}
				theirs.Write(a.wire(wstest.Text(text)))
			}
			if peers != nil {
				peers <- p
			}
		})
		return ours, nil
	}}
	a.later(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

// opened reads a request, and returns the answer that opens a WebSocket, but for its empty
// line.
func opened(nc net.Conn) string {
	r, err := http.ReadRequest(bufio.NewReader(nc))
	if err != nil {
		return ""
	}
	return switched("Sec-WebSocket-Key: " + r.Header.Get("Sec-WebSocket-Key") + "\r\n")
}

// dialWith dials a server that answers with given bytes. ACCEPT in them is the right value of
// the field.
func (a *arena) dialWith(answer string) (*conn.Conn, error) {
	ours, theirs := pipe.New()
	done := make(chan struct{})
	go func() {
		defer close(done)
		respond(theirs, answer)
	}()
	a.later(func() { theirs.Close() })
	ctx, cancel := within()
	defer cancel()
	c, _, err := conn.Dial(ctx, "ws://example.com/", &conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: a.clientOver(ours)}})
	<-done
	return c, err
}

// respond answers a request with given bytes.
func respond(nc net.Conn, answer string) {
	_, accept, _ := strings.Cut(opened(nc), "Sec-WebSocket-Accept: ")
	io.WriteString(nc, strings.Replace(answer, "ACCEPT", strings.TrimSpace(accept), 1))
}

// dialReal dials, over loopback and with a transport of its own, a server that answers with
// given bytes. Where says is "" that opens a WebSocket, or else the error says it.
func (a *arena) dialReal(says, answer string) {
	a.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	a.must(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(time.Minute))
		respond(nc, answer)
		io.Copy(io.Discard, nc)
	}()
	ctx, cancel := within()
	defer cancel()
	c, _, err := conn.Dial(ctx, "ws://"+l.Addr().String(), nil)
	switch {
	case err == nil:
		c.CloseNow()
		if says != "" {
			a.Errorf("%.60q was let in", answer)
		}
	case says == "" || !strings.Contains(err.Error(), says):
		a.Errorf("%v, want something about %q", err, says)
	}
	l.Close()
	<-done
}
