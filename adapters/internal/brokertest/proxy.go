package brokertest

import (
	"net"
	"sync"
	"testing"
	"time"
)

// A Proxy passes TCP connections on to an address. Its methods may be called from any
// goroutine.
type Proxy struct {
	t    testing.TB
	addr string // its own
	to   string
	work sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil: it refuses
	conns    map[net.Conn]bool
	delay    time.Duration
}

// NewProxy starts a proxy in front of an address.
func NewProxy(t testing.TB, to string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, to: to, conns: make(map[net.Conn]bool)}
	for range 10 {
		p.addr = address(FreePort(t))
		if p.listen() == nil {
			t.Cleanup(func() {
				p.Refuse()
				p.Cut()
				p.work.Wait()
			})
			return p
		}
	}
	t.Fatal("brokertest: no port for the proxy")
	return nil
}

func (p *Proxy) listen() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.listener = l
	p.work.Go(func() { p.serve(l) })
	return nil
}

// Addr returns the proxy's address, "127.0.0.1:PORT".
func (p *Proxy) Addr() string { return p.addr }

// Delay makes the bytes that come from now on leave d later, in both directions. It delays
// them and does not slow them down.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Cut closes all connections. What they still hold is lost.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// Refuse makes the proxy refuse new connections. Those that exist stay.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
		p.listener = nil
	}
}

// Accept makes the proxy accept connections again after Refuse.
func (p *Proxy) Accept() {
	p.t.Helper()
	await(p.t, "the proxy's port", p.listen)
}

func (p *Proxy) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		if !p.add(l, c) {
			c.Close()
			return
		}
		p.work.Go(func() {
			p.pass(c)
			p.remove(c)
		})
	}
}

// add takes in a connection that was accepted. It returns false if the proxy refuses by now.
func (p *Proxy) add(l net.Listener, c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != l {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *Proxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// pass passes on what comes on a connection, in both directions. When one direction ends,
// both do.
func (p *Proxy) pass(near net.Conn) {
	defer near.Close()
	far, err := net.DialTimeout("tcp", p.to, patience)
	if err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.copy(near, far) })
	both.Go(func() { p.copy(far, near) })
	both.Wait()
}

// A parcel is bytes that leave at a time.
type parcel struct {
	due  time.Time
	data []byte
}

// copy copies what comes from a connection to another one, delayed, until one of them ends. Then
// it closes both.
func (p *Proxy) copy(to, from net.Conn) {
	parcels := make(chan parcel, 1024)
	var writer sync.WaitGroup
	writer.Go(func() {
		for parcel := range parcels {
			if wait := time.Until(parcel.due); wait > 0 {
				<-time.After(wait)
			}
			if _, err := to.Write(parcel.data); err != nil {
				break
			}
		}
		from.Close()
		to.Close()
		for range parcels { // the reader must not be left waiting
		}
	})
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 {
			p.mu.Lock()
			due := time.Now().Add(p.delay)
			p.mu.Unlock()
			parcels <- parcel{due, b[:n]}
		}
		if err != nil {
			close(parcels)
			writer.Wait()
			return
		}
	}
}
