package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// A generator owns the connections and the epoll instance that watches them.
type generator struct {
	epoll int
	peers []*peer
	held  []io.Closer // TLS connections, which are only held open
	byFD  map[int32]*peer
	in    []byte
}

// A peer is a connection.
type peer struct {
	parser
	file *os.File
	fd   int
	owed int     // bytes that are still to be written
	at   int     // position in the frame that is written next
	sent []burst // bursts in flight, the oldest first
	odd  bool    // it sends Work.OddText

	count
	part []byte // the beginning of an incomplete frame of collect
}

// A burst is a number of messages that were sent at once.
type burst struct {
	at int64 // nanoseconds since the run began
	n  int
}

func newGenerator() (*generator, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	return &generator{epoll: fd, byFD: make(map[int32]*peer), in: make([]byte, 256<<10)}, err
}

// edge is EPOLLET, which is a negative number in package syscall.
const edge = 1 << 31

func (g *generator) add(file *os.File, engine bool) error {
	p := &peer{file: file, fd: int(file.Fd()), parser: parser{engine: engine}}
	if err := syscall.SetNonblock(p.fd, true); err != nil {
		return err
	}
	g.peers = append(g.peers, p)
	g.byFD[int32(p.fd)] = p
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLOUT | edge, Fd: int32(p.fd)}
	return syscall.EpollCtl(g.epoll, syscall.EPOLL_CTL_ADD, p.fd, &event)
}

// close resets all connections, so that none lingers.
func (g *generator) close() {
	for _, p := range g.peers {
		p.reset()
	}
	for _, c := range g.held {
		c.Close()
	}
	g.peers, g.held = nil, nil
	clear(g.byFD)
}

// reset closes the connection without a word to the server.
func (p *peer) reset() {
	syscall.SetsockoptLinger(p.fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
	p.file.Close()
}

// vanish resets some connections, the last that were opened.
func (g *generator) vanish(n int) {
	left := len(g.peers) - n
	for _, p := range g.peers[left:] {
		delete(g.byFD, int32(p.fd))
		p.reset()
	}
	g.peers = g.peers[:left]
}

// key masks all frames. It need not be secret here.
var key = [4]byte{0x37, 0xFA, 0x21, 0x3D}

// masked returns a frame as clients send it.
func masked(h frame.Header, payload []byte) []byte {
	h.Fin, h.Masked, h.MaskKey, h.Length = true, true, key, int64(len(payload))
	b := append(h.Append(nil), payload...)
	mask.Bytes(b[len(b)-len(payload):], key, 0)
	return b
}

// wait waits for events and hands them to f.
func (g *generator) wait(events []syscall.EpollEvent, f func(*peer, time.Time) error) error {
	n, err := syscall.EpollWait(g.epoll, events, 100)
	if err != nil && err != syscall.EINTR {
		return err
	}
	for _, e := range events[:max(n, 0)] {
		if p := g.byFD[e.Fd]; p != nil {
			if err := f(p, time.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// receive reads the bytes that have come, and returns how many messages ended in them.
func (g *generator) receive(p *peer) (messages int, err error) {
	for {
		n, err := syscall.Read(p.fd, g.in)
		switch {
		case err == syscall.EAGAIN:
			return messages, nil
		case err == syscall.EINTR:
			continue
		case err != nil:
			return messages, err
		case n == 0:
			return messages, fmt.Errorf("the server closed a connection")
		}
		k, err := p.feed(g.in[:n])
		messages += k
		if err != nil || n < len(g.in) {
			return messages, err
		}
	}
}

// Frames are copies of one frame, one after the other.
type frames struct {
	batch []byte
	size  int // of one
}

// framesOf returns the frames of some messages with the same text, of which so many are in flight.
func framesOf(text string, inFlight int) frames {
	one := masked(frame.Header{Opcode: frame.Text}, []byte(text))
	return frames{bytes.Repeat(one, max(1, min(inFlight, 1<<20/len(one)))), len(one)}
}

// flush writes the bytes that p owes, which are copies of one frame.
func (p *peer) flush(f frames) error {
	for p.owed > 0 {
		n, err := syscall.Write(p.fd, f.batch[p.at:min(p.at+p.owed, len(f.batch))])
		switch {
		case err == syscall.EAGAIN:
			return nil
		case err == syscall.EINTR:
			continue
		case err != nil:
			return err
		}
		p.owed -= n
		p.at = (p.at + n) % f.size
	}
	if p.pings > 0 {
		p.pings = 0
		_, err := syscall.Write(p.fd, enginePong)
		return err
	}
	return nil
}

var enginePong = masked(frame.Header{Opcode: frame.Text}, []byte("3"))
