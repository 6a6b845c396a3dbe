package socketio

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/parleyws/parley/engineio"
)

// A manager is what the Clients of one connection share: it dials, and dials again. It
// has a session, or a dialer, which is a goroutine that tries to open one, or neither
// if no Client wants a connection.
//
// Its mutex guards the state of all Clients too, and of the user's nothing is called
// with it held: that is left to the actors, or to unlock.
type manager struct {
	side
	o       *DialOptions    // resolved
	auth    json.RawMessage // is o.Auth, an object; nil: none
	url     string          // of the Engine.IO server
	host    string          // of url, for the log, which must not have a query with secrets
	waiting backlog         // events that wait for the handlers of all Clients
	ctx     context.Context
	cancel  context.CancelCauseFunc
	gone    chan struct{} // closed when all goroutines but those of the crew have ended, after Close
	done    chan struct{}

	mu       sync.Mutex
	clients  []*Client
	conn     *clientConn // nil: there is no session
	dialer   *dialer     // nil: nobody dials
	attempts int         // to dial again, since the last session
	last     error       // of the last attempt
	closed   bool
	running  int      // goroutines, and sessions that are not done
	later    []func() // to be called without the mutex
}

// A dialer is a goroutine that dials until a session is open. It stops when it is not
// the manager's any more.
type dialer struct {
	ctx    context.Context
	cancel context.CancelFunc
	failed bool // an attempt has failed; guarded by the manager's mu
}

func newManager(url string, o *DialOptions) (*manager, *Client, error) {
	resolved, err := o.resolve()
	if err != nil {
		return nil, nil, err
	}
	auth, err := authObject(resolved.Auth)
	if err != nil {
		return nil, nil, fmt.Errorf("DialOptions.Auth: %w", err)
	}
	engine, host, namespace, err := splitURL(url, resolved.Path)
	if err != nil {
		return nil, nil, err
	}
	if err := resolved.Engine.Check(engine); err != nil {
		return nil, nil, err
	}
	m := &manager{
		side: clientSide(resolved), o: resolved, auth: auth, url: engine, host: host,
		gone: make(chan struct{}), done: make(chan struct{}),
	}
	m.ctx, m.cancel = context.WithCancelCause(context.Background())
	return m, m.of(namespace), nil
}

// of returns the Client of a namespace.
func (m *manager) of(namespace string) *Client {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.client([]byte(namespace)); c != nil {
		return c
	}
	c := &Client{m: m, name: namespace}
	c.owner = c
	c.outbox = outbox{most: m.o.Limits.BufferEvents, dropOldest: m.o.DropOldest}
	m.clients = append(m.clients, c)
	return c
}

// client returns the Client of a namespace, nil if there is none. Called with mu held.
func (m *manager) client(namespace []byte) *Client {
	for _, c := range m.clients {
		if c.name == string(namespace) {
			return c
		}
	}
	return nil
}

// unlock unlocks mu, and does what has to be done without it.
func (m *manager) unlock() {
	later := m.later
	m.later = nil
	over := m.closed && m.running == 0 && m.gone != nil
	gone := m.gone
	if over {
		m.gone = nil
	}
	m.mu.Unlock()
	for _, f := range later {
		f()
	}
	if over {
		close(gone)
	}
}

// start runs f on a goroutine. Called with mu held.
func (m *manager) start(f func()) {
	m.running++
	go func() {
		defer m.stop()
		f()
	}()
}

// stop takes note of the end of a goroutine, or of a session.
func (m *manager) stop() {
	m.mu.Lock()
	defer m.unlock()
	m.running--
}

// connect is Client.Connect.
func (m *manager) connect(c *Client) {
	m.mu.Lock()
	defer m.unlock()
	if m.closed || c.state != aside {
		return
	}
	c.state = away
	switch {
	case m.conn != nil:
		c.ask()
	case m.dialer == nil:
		m.dial(false)
	}
}

// dial starts a dialer. again says that it has to wait before its first attempt. Called
// with mu held.
func (m *manager) dial(again bool) {
	d := new(dialer)
	d.ctx, d.cancel = context.WithCancel(context.Background()) // rest ends it
	m.dialer = d
	m.start(func() {
		defer d.cancel()
		for ; !again || m.pause(d); again = true {
			_, err := engineio.Dial(d.ctx, m.url, func(s *engineio.Client) engineio.Receiver { return m.opened(d, s) }, &m.o.Engine)
			if err != nil {
				m.failed(d, err)
			}
		}
	})
}

// pause waits before an attempt to dial again. It returns false if there is to be none: d has
// opened a session, is not wanted any more, or has failed too often.
func (m *manager) pause(d *dialer) bool {
	m.mu.Lock()
	if m.dialer != d {
		m.mu.Unlock()
		return false
	}
	r := &m.o.Reconnection
	if r.Attempts > 0 && m.attempts == r.Attempts {
		m.giveUp()
		m.unlock()
		return false
	}
	delay := r.delay(m.attempts, rand.Float64())
	m.attempts++
	m.mu.Unlock()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.ctx.Done():
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dialer != d {
		return false
	}
	for _, c := range m.clients {
		if c.state != aside {
			c.tellAttempt(m.attempts)
		}
	}
	return true
}

// giveUp ends the attempts. Called with mu held.
func (m *manager) giveUp() {
	err := &giveUpError{m.attempts, m.last}
	m.dialer, m.attempts = nil, 0
	m.log(slog.LevelWarn, "socket.io: reconnection given up", "server", m.host, "error", err)
	for _, c := range m.clients {
		if c.state != aside {
			c.state = aside
			c.tellFailed()
			c.settle(err)
		}
	}
}

// log logs once the mutex is unlocked. Called with mu held.
func (m *manager) log(level slog.Level, message string, args ...any) {
	m.later = append(m.later, func() { m.logger.Log(context.Background(), level, message, args...) })
}

// failed takes note of an attempt of d that has failed.
func (m *manager) failed(d *dialer, err error) {
	m.mu.Lock()
	defer m.unlock()
	if m.dialer != d {
		return
	}
	level := slog.LevelDebug
	if !d.failed {
		level = slog.LevelInfo
	}
	d.failed, m.last = true, err
	m.log(level, "socket.io: attempt to connect failed", "server", m.host, "error", err)
	for _, c := range m.clients {
		if c.state != aside {
			c.tellConnectError(err)
			if m.o.Reconnection.Off {
				c.state = aside
				c.settle(err)
			}
		}
	}
	if m.o.Reconnection.Off {
		m.dialer = nil
	}
}

// lastError returns the error of the last attempt since there was a session.
func (m *manager) lastError() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// opened takes the session that d has opened.
func (m *manager) opened(d *dialer, s *engineio.Client) engineio.Receiver {
	m.mu.Lock()
	defer m.unlock()
	conn := &clientConn{m: m, session: s}
	m.running++
	if m.dialer != d {
		conn.closed = true
		m.later = append(m.later, s.Close)
		return conn
	}
	attempts := m.attempts
	m.conn, m.dialer, m.attempts, m.last = conn, nil, 0, nil
	for _, c := range m.clients {
		if c.state == aside {
			continue
		}
		if attempts > 0 {
			c.tellReconnect(attempts)
		}
		c.ask()
	}
	return conn
}

// lost takes note of the end of a session.
func (m *manager) lost(conn *clientConn, reason Reason, err error) {
	m.mu.Lock()
	defer m.unlock()
	if m.conn != conn {
		return
	}
	m.conn, m.last = nil, err
	conn.end()
	m.log(slog.LevelInfo, "socket.io: connection lost", "server", m.host, "reason", reason, "error", err)
	wanted := false
	for _, c := range m.clients {
		c.answered()
		if c.state == aside {
			continue
		}
		if c.state == asking {
			c.tellConnectError(err)
		}
		c.lose(away, reason, err)
		if m.o.Reconnection.Off {
			c.state = aside
			c.settle(fmt.Errorf("%w: %w", ErrDisconnected, err))
			continue
		}
		wanted = true
	}
	if wanted {
		m.dial(true)
	}
}

// disconnect is Client.Disconnect.
func (m *manager) disconnect(c *Client) {
	m.mu.Lock()
	defer m.unlock()
	if c.state != aside {
		c.leave()
		m.rest()
	}
}

// rest ends the connection, or the attempts to open one, if no Client wants it. Called
// with mu held.
func (m *manager) rest() {
	for _, c := range m.clients {
		if c.state != aside {
			return
		}
	}
	for _, c := range m.clients {
		c.answered()
	}
	if m.dialer != nil {
		m.dialer.cancel()
		m.dialer, m.attempts = nil, 0
	}
	if m.conn != nil {
		m.conn.end()
		m.later = append(m.later, m.conn.session.Close)
		m.conn = nil
	}
}

// close is Client.Close.
func (m *manager) close() {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return
	}
	m.closed = true
	for _, c := range m.clients {
		c.drop(ErrClosed)
		c.leave()
	}
	m.rest()
	m.cancel(ErrClosed)
	gone := m.gone
	m.unlock()
	go func() {
		<-gone
		_ = m.work.wait(context.Background()) // which never ends
		close(m.done)
	}()
}
