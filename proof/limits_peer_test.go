package proof

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// peer opens a WebSocket by hand, with further fields of the request. In the shell "a client"
// it is the server's end, and our client's function does as it says.
func (a *arena) peer(fields string) *wstest.Peer {
	a.Helper()
	if a.shell == aClient {
		return a.peerOfClient(fields)
	}
	return a.peerAt("/", fields)
}

func (a *arena) peerAt(target, fields string) *wstest.Peer {
	a.Helper()
	nc := a.dial()
	_, err := io.WriteString(nc, strings.Replace(upgrade, "GET / ", "GET "+target+" ", 1)+fields+"\r\n")
	a.must(err)
	a.readHead(nc, "HTTP/1.1 101 ")
	return wstest.NewPeer(a, nc, conn.RoleClient)
}

// readHead reads the head of a request or response, which begins with something, and no
// byte after it.
func (a *arena) readHead(nc net.Conn, begin string) (head string) {
	a.Helper()
	nc.SetReadDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 0, 1024)
	for !bytes.HasSuffix(b, []byte("\r\n\r\n")) {
		one := make([]byte, 1)
		_, err := nc.Read(one)
		a.must(err)
		b = append(b, one...)
	}
	if !bytes.HasPrefix(b, []byte(begin)) {
		a.Fatalf("got %.40q, want %q", b, begin)
	}
	nc.SetReadDeadline(time.Time{})
	return string(b)
}

// peerOfClient has a client dial, and returns the server's end.
func (a *arena) peerOfClient(fields string) *wstest.Peer {
	a.Helper()
	ours, theirs := pipe.New()
	o := conn.DialOptions{Handshake: handshake.DialOptions{HTTPClient: a.clientOver(ours)}, Conn: a.server.Options.Conn}
	o.Conn.Loop = nil
	if strings.Contains(fields, "deflate") {
		o.Handshake.Deflate = &handshake.DeflateOptions{}
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		ctx, cancel := within()
		defer cancel()
		c, _, err := conn.Dial(ctx, "ws://example.com/", &o)
		if err != nil {
			a.tell("%v", err)
			return
		}
		defer func() {
			c.CloseNow()
			<-c.Done()
		}()
		a.tell("%v", c.Each(context.Background(), func(m conn.Message) error { return a.obey(context.Background(), c, m) }))
		<-c.Done() // in time, and by itself
	}()
	a.later(func() {
		theirs.Close()
		<-served
	})
	_, err := io.WriteString(theirs, switched(a.readHead(theirs, "GET / "))+fields+"\r\n")
	a.must(err)
	return wstest.NewPeer(a, theirs, conn.RoleServer)
}

// clientOver returns an HTTP client that has one connection.
func (a *arena) clientOver(nc net.Conn) *http.Client {
	t := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nc, nil }, DisableCompression: true}
	a.later(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

// switched returns the answer to the head of a request that opens a WebSocket, but for the
// empty line.
func switched(head string) string {
	_, key, _ := strings.Cut(head, "Sec-WebSocket-Key: ")
	key, _, _ = strings.Cut(key, "\r\n")
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
}

// wire returns a frame as the peer sends it.
func (a *arena) wire(f wstest.Frame) []byte {
	f.Header.Masked, f.Header.Length = a.masks(), int64(len(f.Payload))
	return f.Append(nil)
}

// masks reports whether the peer's frames have a mask.
func (a *arena) masks() bool { return a.shell != aClient }

// wantClose sends frames to a plain server, which fails the connection with a code.
func (a *arena) wantClose(code frame.StatusCode, frames ...wstest.Frame) {
	a.Helper()
	a.webSocket(nil, true)
	p := a.peer("")
	p.Send(frames...)
	p.WantClose(code)
}

// masked returns a frame as a client sends it.
func masked(f wstest.Frame) []byte {
	f.Header.Masked, f.Header.Length = true, int64(len(f.Payload))
	return f.Append(nil)
}
