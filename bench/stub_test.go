package bench

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	coder "github.com/coder/websocket"
	gobwas "github.com/gobwas/ws"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"
	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
)

// A stub is a net.Conn that costs almost nothing. It reads the same bytes over
// and over, discards what is written, and counts the calls. It has TryWrite
// because it stands for a socket, on which Parley tries a write before it
// blocks.
type stub struct {
	stream []byte
	at     int
	writes int
	addr   net.TCPAddr
}

func (s *stub) Read(p []byte) (int, error) {
	if len(s.stream) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.stream[s.at:])
	if s.at += n; s.at == len(s.stream) {
		s.at = 0
	}
	return n, nil
}

func (s *stub) Write(p []byte) (int, error) {
	s.writes++
	return len(p), nil
}

// TryWrite is Write, as if the socket took everything without blocking.
func (s *stub) TryWrite(p []byte) (int, error) { return s.Write(p) }

func (*stub) Close() error                     { return nil }
func (*stub) CloseWrite() error                { return nil }
func (s *stub) LocalAddr() net.Addr            { return &s.addr }
func (s *stub) RemoteAddr() net.Addr           { return &s.addr }
func (*stub) SetDeadline(time.Time) error      { return nil }
func (*stub) SetReadDeadline(time.Time) error  { return nil }
func (*stub) SetWriteDeadline(time.Time) error { return nil }

// An upgrade is an http.ResponseWriter whose Hijack returns its stub.
type upgrade struct {
	nc     *stub
	header http.Header
}

func (u *upgrade) Header() http.Header {
	if u.header == nil {
		u.header = make(http.Header)
	}
	return u.header
}
func (*upgrade) Write(p []byte) (int, error) { return len(p), nil }
func (*upgrade) WriteHeader(int)             {}
func (u *upgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	empty := &stub{}
	return u.nc, bufio.NewReadWriter(bufio.NewReaderSize(empty, 16), bufio.NewWriterSize(u.nc, 4096)), nil
}

func request(extensions string) *http.Request {
	r, _ := http.NewRequest("GET", "http://localhost/", nil)
	r.Header = http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
	}
	if extensions != "" {
		r.Header.Set("Sec-WebSocket-Extensions", extensions)
	}
	return r
}

const offer = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"

// The servers of each library over a stub.

func parleyConn(nc *stub, deflate bool, o *conn.Options) *conn.Conn {
	hs := &handshake.Result{Conn: nc}
	if deflate {
		hs.Deflate = &handshake.Deflate{ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	}
	c, err := conn.New(hs, conn.RoleServer, o)
	if err != nil {
		panic(err)
	}
	return c
}

func gorillaConn(b *testing.B, nc *stub, deflate bool) *gorilla.Conn {
	u := gorilla.Upgrader{EnableCompression: deflate, WriteBufferPool: nil}
	c, err := u.Upgrade(&upgrade{nc: nc}, request(offer), nil)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func coderConn(b *testing.B, nc *stub) *coder.Conn {
	c, err := coder.Accept(&upgrade{nc: nc}, request(""), &coder.AcceptOptions{CompressionMode: coder.CompressionDisabled})
	if err != nil {
		b.Fatal(err)
	}
	c.SetReadLimit(-1)
	return c
}

// handler counts messages for gws.
type handler struct {
	gws.BuiltinEventHandler
	left int
}

func (h *handler) OnMessage(c *gws.Conn, m *gws.Message) {
	m.Close()
	if h.left--; h.left == 0 {
		c.NetConn().(*stub).stream = nil
		c.NetConn().(*stub).at = 0
	}
}

// gwsUpgrader holds the pools of compressors that gws shares between connections.
func gwsUpgrader(h gws.Event, deflate bool) *gws.Upgrader {
	return gws.NewUpgrader(h, &gws.ServerOption{PermessageDeflate: gws.PermessageDeflate{Enabled: deflate}})
}

func gwsConn(b *testing.B, u *gws.Upgrader, nc *stub, deflate bool) *gws.Conn {
	c, err := u.UpgradeFromConn(nc, bufio.NewReaderSize(nc, 4096), request(map[bool]string{true: offer}[deflate]))
	if err != nil {
		b.Fatal(err)
	}
	return c
}

var errStop = errors.New("stop")

// frames returns the frames of a message as a client sends it, in the given number of
// fragments. It repeats the message so often that a stub can repeat the result.
func frames(op gobwas.OpCode, p []byte, fragments int) []byte {
	var one []byte
	for i := range fragments {
		h := gobwas.Header{Fin: i == fragments-1, OpCode: op, Masked: true, Mask: [4]byte{1, 2, 3, 4}, Length: int64(len(p) / fragments)}
		if i > 0 {
			h.OpCode = gobwas.OpContinuation
		}
		w := &sliceWriter{}
		gobwas.WriteHeader(w, h)
		part := append([]byte(nil), p[:len(p)/fragments]...)
		gobwas.Cipher(part, h.Mask, 0)
		one = append(append(one, w.b...), part...)
	}
	all := one
	for len(all) < 64<<10 {
		all = append(all, one...)
	}
	return all
}

type sliceWriter struct{ b []byte }

func (w *sliceWriter) Write(p []byte) (int, error) {
	w.b = append(w.b, p...)
	return len(p), nil
}
