package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/flate"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/parleyws/parley/frame"
)

// A Target describes the connections that connect opens.
type Target struct {
	Address string
	Conns   int
	Dialers int // connections that are opened at the same time; 0 means 32
	TLS     bool
	// Deflate offers permessage-deflate with context takeover. The greetings are
	// then compressed.
	Deflate bool
	// SocketIO joins the root namespace.
	SocketIO bool
	// Greeting is sent Greetings times, and each time an answer is awaited, before
	// the connection counts.
	Greeting  string
	Greetings int
	// Greet holds a greeting for each connection, by its index.
	Greet []string
}

const dialers = 32 // the default of Target.Dialers

// connect adds connections.
func (g *generator) connect(t Target) error {
	files := make([]*os.File, t.Conns)
	failed := g.dialAll(t, files)
	for _, file := range files {
		switch {
		case file == nil:
		case failed != nil:
			file.Close()
		default:
			failed = g.add(file, t.SocketIO)
		}
	}
	return failed
}

// dialAll opens connections, some at a time. It gives up after a while,
// because nothing answers the pings of the first connections meanwhile.
func (g *generator) dialAll(t Target, files []*os.File) error {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		failed error
		index  = make(chan int)
	)
	for range min(cmp.Or(t.Dialers, dialers), t.Conns) {
		wait.Go(func() {
			for i := range index {
				file, held, err := t.insist(i)
				mu.Lock()
				if files[i] = file; held != nil {
					g.held = append(g.held, held)
				}
				failed = cmp.Or(failed, err)
				mu.Unlock()
			}
		})
	}
	var late error
	for begin, i := time.Now(), 0; i < t.Conns && late == nil; i++ {
		index <- i
		if time.Since(begin) > silence {
			late = fmt.Errorf("it took %v to connect %d", silence, i+1)
		}
	}
	close(index)
	wait.Wait()
	return cmp.Or(failed, late)
}

// attempts is how often a connection is tried. Some servers drop a few
// connections if many come at once.
const attempts = 5

// insist calls dial until it succeeds, at most attempts times.
func (t Target) insist(i int) (file *os.File, held io.Closer, err error) {
	for range attempts {
		if file, held, err = t.dial(i); err == nil {
			break
		}
	}
	return file, held, err
}

// dial opens one connection. It returns the connection's file, or the
// connection itself if it uses TLS.
func (t Target) dial(i int) (*os.File, io.Closer, error) {
	nc, err := net.DialTimeout("tcp", t.Address, silence)
	if err != nil {
		return nil, nil, err
	}
	tcp := nc.(*net.TCPConn)
	if t.TLS {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	nc.SetDeadline(time.Now().Add(silence))
	if err := t.open(nc, i); err != nil {
		nc.Close()
		return nil, nil, err
	}
	nc.SetDeadline(time.Time{})
	if t.TLS {
		tcp.SetLinger(0)
		return nil, nc, nil
	}
	defer nc.Close()
	file, err := tcp.File()
	return file, nil, err
}

// open makes the handshakes, and sends the greetings, before the connection counts.
func (t Target) open(nc net.Conn, i int) error {
	r := bufio.NewReader(nc)
	if err := t.upgrade(nc, r); err != nil {
		return err
	}
	if t.SocketIO {
		if err := await(r); err != nil { // the open packet of Engine.IO
			return err
		}
		if err := ask(nc, r, masked(frame.Header{Opcode: frame.Text}, []byte("40"))); err != nil {
			return err
		}
	}
	greeting := t.Greeting
	if i < len(t.Greet) {
		greeting = t.Greet[i]
	}
	if greeting != "" {
		one := t.frame(greeting)
		for range max(1, t.Greetings) {
			if err := ask(nc, r, one); err != nil {
				return err
			}
		}
	}
	if r.Buffered() > 0 {
		return errors.New("the server said more than it was asked")
	}
	return nil
}

func (t Target) upgrade(nc net.Conn, r *bufio.Reader) error {
	path, offer := "/", ""
	if t.SocketIO {
		path = "/socket.io/?EIO=4&transport=websocket"
	}
	if t.Deflate {
		offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
	}
	_, err := fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", path, t.Address, offer)
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(response.Status)
	}
	if agreed := response.Header.Get("Sec-WebSocket-Extensions"); t.Deflate && (agreed == "" || strings.Contains(agreed, "no_context_takeover")) {
		return fmt.Errorf("no context takeover: %q", agreed)
	}
	return nil
}

// frame returns the frame of a message. If compression was agreed, the frame is
// compressed without reference to earlier messages, which a sender is free to
// do (RFC 7692, section 7.1.1).
func (t Target) frame(text string) []byte {
	if !t.Deflate {
		return masked(frame.Header{Opcode: frame.Text}, []byte(text))
	}
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestSpeed)
	w.Write([]byte(text))
	w.Flush()
	return masked(frame.Header{Opcode: frame.Text, Rsv1: true}, bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")))
}

// ask sends a frame and awaits a message.
func ask(w io.Writer, r *bufio.Reader, octets []byte) error {
	if _, err := w.Write(octets); err != nil {
		return err
	}
	return await(r)
}

// await reads and discards everything up to the end of a message.
func await(r *bufio.Reader) error {
	for {
		h, err := header(r)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, r, h.Length); err != nil {
			return err
		}
		if h.Opcode == frame.Close {
			return errors.New("the server closed")
		}
		if h.Fin && !h.Opcode.IsControl() {
			return nil
		}
	}
}

func header(r *bufio.Reader) (frame.Header, error) {
	for size := 2; ; size++ {
		b, err := r.Peek(size)
		if err != nil {
			return frame.Header{}, err
		}
		h, n, err := frame.Parse(b)
		if err != nil || n > 0 {
			r.Discard(n)
			return h, err
		}
	}
}
