package conn_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

// lifeHeader is the length of what a message of a life begins with: who sent
// it, the how manieth it is, and its length.
const lifeHeader = 16

// lifeText is what messages are filled with.
var lifeText = strings.Repeat("The quick brown fox jumps over the lazy dog; 0123456789. ", 5000)

// byPeer is who sends the peer's messages.
const byPeer = 0xff

// lifeMessage returns the message that by sends as its number n, of size bytes
// or a header's.
func lifeMessage(by, n, size int) []byte {
	size = max(size, lifeHeader)
	b := fmt.Appendf(make([]byte, 0, size), "%02x%06x%08x", by, n, size)
	return append(b, lifeText[n&63:][:size-lifeHeader]...)
}

// parseLifeMessage returns what the header of a message says. ok is false if it is
// none.
func parseLifeMessage(p []byte) (by, n, size int, ok bool) {
	if len(p) < lifeHeader {
		return 0, 0, 0, false
	}
	v, err := strconv.ParseUint(string(p[:8]), 16, 64)
	w, err2 := strconv.ParseUint(string(p[8:lifeHeader]), 16, 64)
	return int(v >> 24), int(v & (1<<24 - 1)), int(w), err == nil && err2 == nil
}

// wholeLifeMessage is parseLifeMessage for all of a message.
func wholeLifeMessage(p []byte) (by, n int, ok bool) {
	by, n, size, ok := parseLifeMessage(p)
	if !ok || size != len(p) || string(p[lifeHeader:]) != lifeText[n&63:][:size-lifeHeader] {
		return by, n, false
	}
	return by, n, true
}

// storedBlocks returns p as deflated data without compression (RFC 1951,
// section 3.2.4), without its tail.
func storedBlocks(p []byte) (b []byte) {
	for len(p) > 0 {
		n := min(len(p), 65535)
		b = append(b, 0)
		b = binary.LittleEndian.AppendUint16(b, uint16(n))
		b = binary.LittleEndian.AppendUint16(b, ^uint16(n))
		b = append(b, p[:n]...)
		p = p[n:]
	}
	return append(b, 0)
}

// A lifePeer is the peer of a life.
type lifePeer struct {
	script *lifeScript
	nc     net.Conn
	stream *lifeStream   // the other end
	over   chan struct{} // closed when the life is
	wg     *sync.WaitGroup

	turn     chan struct{} // holds one: whoever takes it may send
	quiet    bool          // nothing is sent any more
	sent     int           // bytes
	messages []lifeArrival
	pings    int
	pongs    int        // Pongs sent, to our Pings or to none
	closeEnd int        // where its Close frame ends; 0: there is none
	badEnd   int        // where its garbage ends
	mu       sync.Mutex // of what follows
	stalled  time.Time  // it does not read until then
	closing  moment     // when our Close frame had come
	received int        // bytes
	ended    bool       // it has read to the end
}

// A lifeArrival is a message of the peer's.
type lifeArrival struct {
	end int    // its position in the stream
	at  moment // when all of it was there; never: it is not
}

// frame returns a frame as the peer sends it.
func (p *lifePeer) frame(b []byte, h frame.Header, payload []byte) []byte {
	h.Length = int64(len(payload))
	if p.script.role == conn.RoleServer {
		h.Masked, h.MaskKey = true, [4]byte{1, 2, 3, byte(len(payload))}
	}
	b = h.Append(b)
	start := len(b)
	b = append(b, payload...)
	if h.Masked {
		mask.Bytes(b[start:], h.MaskKey, 0)
	}
	return b
}

// take waits for the turn to send and reports whether anything may be sent.
func (p *lifePeer) take() bool {
	p.turn <- struct{}{}
	if p.quiet {
		<-p.turn
		return false
	}
	return true
}

func (p *lifePeer) give() { <-p.turn }

// write sends b in pieces. Called with the turn.
func (p *lifePeer) write(b []byte, pieces int, gap time.Duration) bool {
	for i := range pieces {
		if i > 0 {
			p.sleep(gap)
		}
		part := b[i*len(b)/pieces : (i+1)*len(b)/pieces]
		n, err := p.nc.Write(part)
		p.sent += n
		if err != nil {
			p.quiet = true
			return false
		}
	}
	return true
}

func (p *lifePeer) sleep(d time.Duration) {
	if d > 0 {
		select {
		case <-time.After(d):
		case <-p.over:
		}
	}
}

// act does what the script says.
func (p *lifePeer) act() {
	for _, e := range p.script.events {
		p.sleep(e.wait)
		p.do(e)
	}
}

func (p *lifePeer) do(e lifeEvent) {
	switch e.deed {
	case peerStall:
		p.mu.Lock()
		p.stalled = time.Now().Add(e.gap)
		p.mu.Unlock()
		return
	case peerReset:
		p.stream.reset()
		return
	case peerFailWrites:
		p.stream.failWrites()
		return
	case peerCut:
		p.nc.Close()
		return
	}
	if !p.take() {
		return
	}
	defer p.give()
	switch e.deed {
	case peerMessage:
		p.message(e)
	case peerPing:
		p.pings++
		p.write(p.frame(nil, frame.Header{Fin: true, Opcode: frame.Ping}, fmt.Appendf(nil, "ping %d", p.pings)), e.pieces, e.gap)
	case peerPong:
		p.write(p.frame(nil, frame.Header{Fin: true, Opcode: frame.Pong}, []byte("unasked")), e.pieces, e.gap)
	case peerClose:
		p.sendClose(frame.AppendClose(nil, frame.StatusCode(e.code), "bye"[:3*min(1, e.code%5)]), e.pieces, e.gap)
	case peerHalfClose:
		p.halfClose()
	case peerGarbage:
		p.garbage(e)
	}
}

func (p *lifePeer) message(e lifeEvent) {
	number := len(p.messages)
	payload := lifeMessage(byPeer, number, e.size)
	h := frame.Header{Opcode: frame.Text}
	if e.binary {
		h.Opcode = frame.Binary
	}
	if e.compressed {
		payload, h.Rsv1 = storedBlocks(payload), true
	}
	var b []byte
	for i := range e.fragments {
		h.Fin = i == e.fragments-1
		b = p.frame(b, h, payload[i*len(payload)/e.fragments:(i+1)*len(payload)/e.fragments])
		h.Opcode, h.Rsv1 = frame.Continuation, false
		if e.between && !h.Fin {
			p.pings++
			b = p.frame(b, frame.Header{Fin: true, Opcode: frame.Ping}, fmt.Appendf(nil, "ping %d", p.pings))
		}
	}
	end := p.sent + len(b)
	p.messages = append(p.messages, lifeArrival{end, never})
	if p.write(b, e.pieces, e.gap) {
		p.messages[number].at = p.stream.now()
	}
}

// sendClose sends a Close frame, and nothing more.
func (p *lifePeer) sendClose(payload []byte, pieces int, gap time.Duration) {
	b := p.frame(nil, frame.Header{Fin: true, Opcode: frame.Close}, payload)
	end := p.sent + len(b)
	if p.write(b, pieces, gap) {
		p.closeEnd = end
	}
	p.quiet = true
	p.finish()
}

// halfClose ends the peer's direction of the stream.
func (p *lifePeer) halfClose() {
	p.quiet = true
	p.nc.(interface{ CloseWrite() error }).CloseWrite()
}

// finish ends the stream if both Close frames have been sent and the peer is a
// server, which ends it first (RFC 6455, section 7.1.1). Called with the turn.
func (p *lifePeer) finish() {
	p.mu.Lock()
	may := p.closing != never && p.closeEnd > 0
	p.mu.Unlock()
	if may && p.script.ends && p.script.role == conn.RoleClient {
		p.halfClose()
	}
}

// garbageKinds is how many kinds of garbage there are.
const (
	garbageKinds  = 6
	garbageTooBig = 4
)

// garbageCodes are what we say to them.
var garbageCodes = [garbageKinds]frame.StatusCode{1002, 1002, 1007, 1002, 1009, 1002}

func (p *lifePeer) garbage(e lifeEvent) {
	var b []byte
	switch e.code {
	case 0:
		b = p.frame(nil, frame.Header{Fin: true, Opcode: 3}, []byte("reserved"))
	case 1:
		b = p.frame(nil, frame.Header{Fin: true, Rsv2: true, Opcode: frame.Text}, []byte("extended"))
	case 2:
		b = p.frame(nil, frame.Header{Fin: true, Opcode: frame.Text}, []byte("\xFF\xFF"))
	case 3:
		b = frame.Header{Fin: true, Opcode: frame.Text, Masked: p.script.role == conn.RoleClient}.Append(nil)
	case garbageTooBig:
		b = frame.Header{Fin: true, Opcode: frame.Binary, Masked: p.script.role == conn.RoleServer, Length: 2 << 20}.Append(nil)
	case 5:
		b = p.frame(nil, frame.Header{Fin: true, Opcode: frame.Close}, []byte{3})
	}
	end := p.sent + len(b)
	if p.write(b, e.pieces, e.gap) {
		p.badEnd = end
	}
	p.quiet = p.quiet || e.code == garbageTooBig // the rest of it does not come
}

// read reads what we send, and answers it.
func (p *lifePeer) read() {
	var have []byte
	buf := make([]byte, 4<<10)
	skip := 0
	for {
		p.mu.Lock()
		wait := time.Until(p.stalled)
		p.mu.Unlock()
		p.sleep(wait)
		n, err := p.nc.Read(buf)
		p.stream.taken.Add(int64(n))
		p.received += n
		b := buf[:n]
		if skip >= n {
			skip, b = skip-n, nil
		} else {
			skip, b = 0, b[skip:]
		}
		have = append(have, b...)
		have, skip = p.frames(have, skip)
		if err != nil {
			p.readEnd()
			return
		}
	}
}

// readEnd is what a peer does when we have ended the stream.
func (p *lifePeer) readEnd() {
	p.ended = true
	if p.script.ends {
		p.answer(func() { p.quiet = true; p.nc.Close() })
	}
}

// frames handles what has come, and returns what is left, or how many bytes are to
// be skipped.
func (p *lifePeer) frames(have []byte, skip int) ([]byte, int) {
	for skip == 0 {
		h, n, err := frame.Parse(have)
		if err != nil || n == 0 {
			break
		}
		end := n + int(h.Length)
		if !h.Opcode.IsControl() {
			if end > len(have) {
				return have[:0], end - len(have)
			}
		} else if end > len(have) {
			break
		} else {
			payload := append([]byte{}, have[n:end]...)
			mask.Bytes(payload, h.MaskKey, 0)
			p.control(h, payload)
		}
		have = have[end:]
	}
	return have, skip
}

func (p *lifePeer) control(h frame.Header, payload []byte) {
	switch {
	case h.Opcode == frame.Ping && p.script.pongs:
		p.answer(func() {
			p.pongs++
			p.write(p.frame(nil, frame.Header{Fin: true, Opcode: frame.Pong}, payload), 1, 0)
		})
	case h.Opcode == frame.Close:
		p.mu.Lock()
		p.closing = min(p.closing, p.stream.now())
		p.mu.Unlock()
		if p.script.answers {
			p.answer(func() { p.sendClose(payload, 1, 0) })
		} else {
			p.wg.Go(func() { p.turn <- struct{}{}; p.finish(); p.give() })
		}
	}
}

// answer calls f with the turn, when it has come: the peer goes on reading.
func (p *lifePeer) answer(f func()) {
	p.wg.Go(func() {
		if p.take() {
			f()
			p.give()
		}
	})
}
