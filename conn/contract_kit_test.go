package conn_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/octetwise"
	"github.com/parleyws/parley/internal/pipe"
	"github.com/parleyws/parley/wstest"
)

// What a Conn promises holds on every path: over any kind of stream, in both
// roles, with and without compression. The files contract_*_test.go state the
// promises, and this file makes the streams.

// A deadlineKind says what the methods SetDeadline, SetReadDeadline and
// SetWriteDeadline of a stream do.
type deadlineKind uint8

const (
	deadlinesWork    deadlineKind = iota
	deadlinesRefused              // they return an error
	deadlinesIgnored              // they return nil and do nothing
)

// A streamKind is a kind of stream that a Conn may run over.
type streamKind struct {
	name      string
	memory    bool         // in memory: the test runs in a bubble, where times are exact
	tried     bool         // a write can be tried without blocking
	halves    bool         // our direction can be closed alone
	deadlines deadlineKind // of our end; those of the peer's end always work

	// connect returns the two ends. Each direction holds size bytes, of which a
	// socket makes what it likes; 0 is the default. A stream in memory passes
	// through the tap at our end.
	connect func(t testing.TB, size int) (ours net.Conn, tapped *tap, theirs net.Conn)
}

var streamKinds = []streamKind{
	{"tcp", false, true, true, deadlinesWork, connectSockets(tcpSockets)},
	{"tls", false, false, true, deadlinesWork, connectSockets(tlsSockets)},
	{"unix", false, true, true, deadlinesWork, connectSockets(unixSockets)},
	{"pipe", true, false, true, deadlinesWork, connectPipe(func(t *tap) net.Conn { return t })},
	{"pipe that can be tried", true, true, true, deadlinesWork, connectTriedPipe},
	{"pipe octet by octet", true, false, true, deadlinesWork, connectPipe(func(t *tap) net.Conn { return octetwise.New(t) })},
	{"pipe without deadlines", true, false, false, deadlinesRefused, connectPipe(func(t *tap) net.Conn { return timeless{t} })},
	{"pipe that ignores deadlines", true, false, true, deadlinesIgnored, connectPipe(func(t *tap) net.Conn { return &liar{t} })},
	{"tls in memory", true, false, true, deadlinesWork, connectTLSPipe},
}

// A streamCase is one combination of what a Conn may run over.
type streamCase struct {
	streamKind
	role    conn.Role          // that the Conn plays
	deflate *handshake.Deflate // nil: messages are not compressed
}

// overStreams runs f over every kind of stream, in both roles, with and without
// compression.
func overStreams(t *testing.T, f func(t *testing.T, s streamCase)) {
	t.Helper()
	overKinds(t, streamKinds, f)
}

// overKinds is overStreams for some kinds of streams.
func overKinds(t *testing.T, kinds []streamKind, f func(t *testing.T, s streamCase)) {
	t.Helper()
	overCases(t, cases(kinds, nil, deflate), f)
}

// cases returns all combinations of kinds, roles and terms of compression.
func cases(kinds []streamKind, terms ...*handshake.Deflate) (all []streamCase) {
	for _, k := range kinds {
		for _, role := range []conn.Role{conn.RoleServer, conn.RoleClient} {
			for _, d := range terms {
				all = append(all, streamCase{k, role, d})
			}
		}
	}
	return all
}

// overCases runs f over the cases. Those over sockets run beside each other, for
// what they take is patience.
func overCases(t *testing.T, cases []streamCase, f func(t *testing.T, s streamCase)) {
	t.Helper()
	var sockets sync.WaitGroup
	defer sockets.Wait()
	for _, s := range cases {
		if s.memory {
			t.Run(s.String(), func(t *testing.T) { s.inBubble(t, f) })
		} else {
			sockets.Go(func() { t.Run(s.String(), func(t *testing.T) { f(t, s) }) })
		}
	}
}

func (s streamCase) String() string {
	name := s.name + ", server"
	if s.role == conn.RoleClient {
		name = s.name + ", client"
	}
	if s.deflate != nil {
		name += ", deflate"
	}
	return name
}

// inBubble runs f in a bubble. One that is deadlocked does not end all tests.
func (s streamCase) inBubble(t *testing.T, f func(t *testing.T, s streamCase)) {
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("%v", v)
		}
	}()
	synctest.Test(t, func(t *testing.T) { f(t, s) })
}

// kindsThat returns the kinds of streams for which is is true.
func kindsThat(is func(k streamKind) bool) (kinds []streamKind) {
	for _, k := range streamKinds {
		if is(k) {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// inMemory are the kinds of streams whose tests run in a bubble.
func inMemory() []streamKind { return kindsThat(func(k streamKind) bool { return k.memory }) }

// grace is how much later than at its time a call may end. Where the deadlines
// of a stream do nothing, nobody is told so in advance.
func (s streamCase) grace() time.Duration {
	if s.deadlines == deadlinesWork {
		return 0
	}
	return time.Second
}

// slack is by how much a time that is measured on a socket may be wrong: on a busy
// machine by much. Times are exact in memory, where the same tests run.
const slack = 30 * time.Second

// A link is a Conn and the Peer that it talks to.
type link struct {
	*testing.T
	streamCase
	c     *conn.Conn
	p     *wstest.Peer
	ours  net.Conn
	tap   *tap // nil: ours is a socket
	start time.Time
}

// link connects a Conn with a Peer. Each direction holds size bytes; 0 is the
// default. Both end with the test.
func (s streamCase) link(t *testing.T, o *conn.Options, size int) *link {
	t.Helper()
	ours, tapped, theirs := s.connect(t, size)
	if s.role == conn.RoleClient && tapped == nil { // a TLS stream is a client's or a server's
		ours, theirs = theirs, ours
	}
	l := &link{T: t, streamCase: s, ours: ours, tap: tapped}
	if s.memory {
		t.Cleanup(func() { l.sleep(time.Hour) }) // whatever ends by itself has ended then
	}
	l.p = wstest.NewPeer(t, theirs, !s.role)
	l.c = must(conn.New(&handshake.Result{Conn: ours, Deflate: s.deflate}, s.role, o))
	t.Cleanup(func() { l.c.CloseNow() })
	if s.memory {
		l.p.Timeout = 24 * time.Hour
	}
	l.start = time.Now()
	return l
}

// text returns a frame that holds a whole message, compressed where messages are.
func (l *link) text(s string) wstest.Frame {
	if l.deflate != nil {
		return wstest.Text(s).Deflated()
	}
	return wstest.Text(s)
}

// at fails the test unless d has gone since the start: exactly, or a little
// more on a socket.
func (l *link) at(d time.Duration) {
	l.Helper()
	l.between(d, d)
}

// atWithGrace is at, but where deadlines do nothing it may be a second later.
func (l *link) atWithGrace(d time.Duration) {
	l.Helper()
	l.between(d, d+l.grace())
}

// between fails the test unless from low to high has gone since the start.
func (l *link) between(low, high time.Duration) {
	l.Helper()
	if !l.memory {
		high += slack
	}
	if got := time.Since(l.start); got < low || got > high {
		l.Errorf("at %v, want %v to %v", got, low, high)
	}
}

// sleep lets d go by.
func (l *link) sleep(d time.Duration) { <-time.After(d) }

// settle waits until all that can happen now has happened. On a socket nobody
// can say when that is.
func (l *link) settle() {
	if l.memory {
		synctest.Wait()
	}
}

// await returns what comes from ch, and ends the test if nothing does for an
// hour, or for slack on a socket.
func await[T any](l *link, what string, ch <-chan T) (v T) {
	l.Helper()
	d := slack
	if l.memory {
		d = time.Hour
	}
	select {
	case v = <-ch:
	case <-time.After(d):
		l.Fatalf("%s takes more than %v", what, d)
	}
	return v
}

// call runs f in a goroutine of its own and hands over what it returns.
func call(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// hardClose ends the stream at the peer's end without any notice, when all that was sent has
// arrived: over TLS there is no alert, and what we still write to a socket is answered by a reset.
func (l *link) hardClose() {
	nc := l.p.NetConn()
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	if s, ok := nc.(*net.TCPConn); ok {
		waitSent(l, s)
		s.SetLinger(0)
	}
	nc.Close()
}

// cause returns in a few words what an error says of the end of a connection,
// so that two errors can be compared. It is "" for an error that says nothing
// of it.
func cause(err error) string {
	if e, ok := errors.AsType[*conn.CloseError](err); ok {
		return peerClosed(e.Code)
	}
	switch {
	case err == nil, isContextError(err):
		return ""
	case errors.Is(err, conn.ErrQueueFull):
		return queueFull
	}
	if e, ok := errors.AsType[*frame.Error](err); ok {
		return brokenRule(e.Code)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && strings.Contains(err.Error(), "no byte from the peer"):
		return deadPeer
	case errors.Is(err, os.ErrDeadlineExceeded):
		return writeStalled
	case errors.Is(err, net.ErrClosed):
		return closedHere
	case errors.Is(err, io.ErrUnexpectedEOF):
		return wasCut
	}
	return err.Error()
}

// Causes of an end that the tests name.
const (
	closedHere   = "closed here"
	wasCut       = "cut"
	deadPeer     = "dead peer"
	writeStalled = "write stalled"
	queueFull    = "queue full"
)

// peerClosed is the cause of an end by a Close frame of the peer.
func peerClosed(code frame.StatusCode) string { return fmt.Sprintf("the peer closed: %d", code) }

// brokenRule is the cause of an end that the peer was told with code.
func brokenRule(code frame.StatusCode) string { return fmt.Sprintf("the peer broke a rule: %d", code) }

// wantCause fails the test unless err has the cause that is wanted.
func (l *link) wantCause(what string, err error, want string) {
	l.Helper()
	if got := cause(err); got != want || err == nil {
		l.Errorf("%s: got the cause %q (%v), want %q", what, got, err, want)
	}
}

// calls are all that return how a connection has ended, by their names.
var calls = []struct {
	name string
	call func(ctx context.Context, c *conn.Conn) error
}{
	{"Read", func(ctx context.Context, c *conn.Conn) error { _, _, err := c.Read(ctx); return err }},
	{"Each", func(ctx context.Context, c *conn.Conn) error {
		return each(c, ctx, func(conn.Message) error { return nil })
	}},
	{"Reader", func(ctx context.Context, c *conn.Conn) error { _, _, err := c.Reader(ctx); return err }},
	{"Write", func(ctx context.Context, c *conn.Conn) error { return c.Write(ctx, conn.Text, []byte("text")) }},
	{"WritePrepared", func(ctx context.Context, c *conn.Conn) error {
		return c.WritePrepared(ctx, conn.NewPrepared(conn.Text, []byte("text")))
	}},
	{"Writer", func(ctx context.Context, c *conn.Conn) error {
		w, err := c.Writer(ctx, conn.Text)
		if err != nil {
			return err
		}
		_, err = w.Write([]byte("text"))
		return cmp.Or(w.Close(), err)
	}},
	{"Ping", func(ctx context.Context, c *conn.Conn) error { return c.Ping(ctx) }},
	{"Send", func(_ context.Context, c *conn.Conn) error {
		return c.Send(conn.NewPrepared(conn.Text, []byte("text")))
	}},
	{"Flush", func(ctx context.Context, c *conn.Conn) error { return c.Flush(ctx) }},
}

// wantAllSay fails the test unless every call returns at once, with the cause
// that is wanted.
func (l *link) wantAllSay(want string) {
	l.Helper()
	for _, call := range calls {
		before := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		err := call.call(ctx, l.c)
		cancel()
		l.wantCause(call.name, err, want)
		if d := time.Since(before); l.memory && d > 0 || d > slack {
			l.Errorf("%s took %v to say so", call.name, d)
		}
	}
}

// noise returns n bytes that can't be compressed.
func noise(n int) []byte {
	p := make([]byte, n)
	rand.Read(p)
	return p
}

// A tap is a stream of which a test sees what is written, and whose writes it
// can make fail.
type tap struct {
	net.Conn
	mu     sync.Mutex
	wrote  []byte    // what has been handed on
	fault  error     // what writes fail with, if it is not nil
	forget bool      // what has been handed on
	closed time.Time // zero: it is not
}

func (t *tap) Write(p []byte) (int, error) {
	t.mu.Lock()
	fault := t.fault
	t.mu.Unlock()
	n, err := 0, fault
	if err == nil {
		n, err = t.Conn.Write(p)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.forget {
		t.wrote = append(t.wrote, p[:n]...)
	}
	return n, err
}

func (t *tap) Close() error {
	t.mu.Lock()
	if t.closed.IsZero() {
		t.closed = time.Now()
	}
	t.mu.Unlock()
	return t.Conn.Close()
}

func (t *tap) CloseWrite() error { return t.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// failWrites makes every write fail from now on.
func (t *tap) failWrites(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fault = err
}

// written returns how many bytes have been handed on.
func (t *tap) written() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.wrote)
}

// wantStreamClosed fails the test unless the stream was closed when d had gone
// since the start, or a second later where deadlines do nothing.
func (l *link) wantStreamClosed(d time.Duration) {
	l.Helper()
	if l.tap == nil {
		return
	}
	l.sleep(time.Minute)
	l.tap.mu.Lock()
	defer l.tap.mu.Unlock()
	switch at := l.tap.closed.Sub(l.start); {
	case l.tap.closed.IsZero():
		l.Error("the stream is open a minute later")
	case at < d || at > d+l.grace():
		l.Errorf("the stream was closed after %v, want %v", at, d)
	}
}

// A liar is a stream whose deadlines can be set and do nothing.
type liar struct{ *tap }

func (liar) SetDeadline(time.Time) error      { return nil }
func (liar) SetReadDeadline(time.Time) error  { return nil }
func (liar) SetWriteDeadline(time.Time) error { return nil }

// A triable is a stream in memory that can be tried as a socket can.
type triable struct {
	*tap
	held *atomic.Int64 // by the pipe, at most
	size int64
}

func (t *triable) Write(p []byte) (int, error) {
	n, err := t.tap.Write(p)
	t.held.Add(int64(n))
	return n, err
}

// TryWrite takes what there is room for.
func (t *triable) TryWrite(p []byte) (int, error) {
	if room := t.size - t.held.Load(); room < int64(len(p)) {
		p = p[:max(room, 0)]
	}
	if len(p) == 0 {
		return 0, nil
	}
	return t.Write(p)
}

// A counted is the other end of a triable.
type counted struct {
	net.Conn
	held *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.held.Add(-int64(n))
	return n, err
}

func (c counted) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

func connectPipe(wrap func(*tap) net.Conn) func(testing.TB, int) (net.Conn, *tap, net.Conn) {
	return func(_ testing.TB, size int) (net.Conn, *tap, net.Conn) {
		ours, theirs := pipe.NewSize(cmp.Or(size, pipe.DefaultSize))
		tapped := &tap{Conn: ours}
		return wrap(tapped), tapped, theirs
	}
}

func connectTriedPipe(_ testing.TB, size int) (net.Conn, *tap, net.Conn) {
	size = cmp.Or(size, pipe.DefaultSize)
	ours, theirs := pipe.NewSize(size)
	tapped, held := &tap{Conn: ours}, new(atomic.Int64)
	return &triable{tapped, held, int64(size)}, tapped, counted{theirs, held}
}

func connectTLSPipe(t testing.TB, size int) (net.Conn, *tap, net.Conn) {
	t.Helper()
	ours, theirs := pipe.NewSize(cmp.Or(size, pipe.DefaultSize))
	tapped := &tap{Conn: ours}
	s, c := tlsOver(t, tapped, theirs)
	return s, tapped, c
}

// connectSockets returns connect for sockets. pair gets nil if their buffers are
// to be as usual.
func connectSockets(pair func(testing.TB, controlFunc) (net.Conn, net.Conn)) func(testing.TB, int) (net.Conn, *tap, net.Conn) {
	return func(t testing.TB, size int) (net.Conn, *tap, net.Conn) {
		t.Helper()
		var control controlFunc
		if size > 0 {
			control = bufferSize(size)
		}
		a, b := pair(t, control)
		return a, nil, b
	}
}

// A controlFunc is called with a socket before it is bound or connected.
type controlFunc = func(network, address string, raw syscall.RawConn) error

// socketPair connects two sockets through a listener at address.
func socketPair(t testing.TB, network, address string, control controlFunc) (server, client net.Conn) {
	t.Helper()
	lc := net.ListenConfig{Control: control}
	ln, err := lc.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := call(func() (err error) {
		server, err = ln.Accept()
		return err
	})
	client, err = (&net.Dialer{Control: control}).DialContext(t.Context(), network, ln.Addr().String())
	if err := errors.Join(err, <-accepted); err != nil {
		t.Fatal(err)
	}
	return server, client
}

func tcpSockets(t testing.TB, control controlFunc) (server, client net.Conn) {
	t.Helper()
	return socketPair(t, "tcp", "127.0.0.1:0", control)
}

func tlsSockets(t testing.TB, control controlFunc) (server, client net.Conn) {
	t.Helper()
	a, b := tcpSockets(t, control)
	return tlsOver(t, a, b)
}

func unixSockets(t testing.TB, control controlFunc) (server, client net.Conn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "parley") // t.TempDir is too long a path for a socket's address
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	server, client = socketPair(t, "unix", filepath.Join(dir, "s"), control)
	if control != nil { // an accepted Unix socket does not inherit its buffers
		s := server.(*net.UnixConn)
		if err := errors.Join(s.SetReadBuffer(1<<10), s.SetWriteBuffer(1<<10)); err != nil {
			t.Fatal(err)
		}
	}
	return server, client
}

// tlsOver returns the two ends of TLS over a stream.
func tlsOver(t testing.TB, a, b net.Conn) (server, client net.Conn) {
	t.Helper()
	config, err := tlsConfig()
	if err != nil {
		t.Fatal(err)
	}
	s, c := tls.Server(a, config), tls.Client(b, config)
	shaken := call(s.Handshake)
	if err := errors.Join(c.Handshake(), <-shaken); err != nil {
		t.Fatal(err)
	}
	return s, c
}

// A prefixed stream gives some bytes first that have been read already.
type prefixed struct {
	net.Conn
	first *bytes.Reader
}

func (p prefixed) Read(b []byte) (int, error) {
	if p.first.Len() > 0 {
		return p.first.Read(b)
	}
	return p.Conn.Read(b)
}
