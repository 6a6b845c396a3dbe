package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/parleyws/parley/frame"
)

// A flood is what a peer sends that breaks a limit or a rule, and the status code of the Close
// frame that answers it. It is 0 if there is none: the peer never reads, and resets
// the connection after a while, or, with Engine.IO, whose protocol has no codes, is cut.
type flood struct {
	name     string
	socketIO bool
	octets   []byte
	code     frame.StatusCode
	unread   bool
}

var floods = []flood{
	{name: "Pings", octets: bytes.Repeat(masked(frame.Ping, []byte("soak")), 5000), code: 1008},
	{name: "a message that is too long", octets: masked(frame.Text, bytes.Repeat([]byte("a"), 1<<20+1)), code: 1009},
	{name: "a length of 2^62", octets: frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, Length: 1 << 62}.Append(nil), code: 1009},
	{name: "fragments", octets: append(unfinished(frame.Text), bytes.Repeat(unfinished(frame.Continuation), 3000)...), code: 1008},
	{name: "text that is none", octets: masked(frame.Text, []byte("\xff\xfe")), code: 1007},
	{name: "a frame without a mask", octets: []byte("\x81\x01a"), code: 1002},
	{name: "messages, and it does not read", octets: bytes.Repeat(masked(frame.Text, []byte(long)), 200), unread: true},
	{name: "small messages, and it does not read", octets: bytes.Repeat(masked(frame.Text, []byte("e 0 0 ")), 50_000), unread: true},
	{name: "Socket.IO: events, and it does not read", socketIO: true, octets: bytes.Repeat(event, 20_000), unread: true},
	{name: "Socket.IO: a message that is too long", socketIO: true, octets: masked(frame.Text, bytes.Repeat([]byte("4"), 1<<20))},
	{name: "Socket.IO: namespaces", socketIO: true, octets: bytes.Repeat(masked(frame.Text, []byte("40/x,")), 5000), unread: true},
	{name: "Socket.IO: a packet that is none", socketIO: true, octets: masked(frame.Text, []byte("49 what"))},
	{name: "Socket.IO: an attachment that nobody announced", socketIO: true, octets: masked(frame.Binary, []byte("soak"))},
	{name: "Socket.IO: nested arrays", socketIO: true, octets: masked(frame.Text, []byte(`42["echo",`+strings.Repeat("[", 100_000)))},
}

var event = masked(frame.Text, []byte(`42["echo",{"n":0,"at":0}]`))

// unfinished returns a frame of one byte after which others of its message follow.
func unfinished(opcode frame.Opcode) []byte {
	b := masked(opcode, []byte("a"))
	b[0] &^= 0x80
	return b
}

// floodTime is how long a server may take to cut a peer that floods it.
const floodTime = 15 * time.Second

// unreadTime is how long a peer sends that does not read.
const unreadTime = 2 * time.Second

// flood makes connections that flood, one after the other, until the soak is drained.
func (s *soak) flood(random *rand.Rand) {
	for ; !s.isDraining(); s.pause(s.floodPause) {
		if s.resting.Load() {
			continue
		}
		f := floods[random.IntN(len(floods))]
		if err := f.run(s.address); err != nil {
			s.tally.wrong("flood of %s: %v", f.name, err)
		}
		s.tally.count("flood: " + f.name)
	}
}

// run opens a connection, floods it, and says what is wrong with the answer.
func (f flood) run(address string) error { return f.runFor(address, floodTime) }

// runFor is run, for a server that may take as long as limit.
func (f flood) runFor(address string, limit time.Duration) error {
	nc, err := net.DialTimeout("tcp", address, floodTime)
	if err != nil {
		return err
	}
	defer nc.Close()
	nc.(*net.TCPConn).SetLinger(0)
	nc.SetDeadline(time.Now().Add(limit))
	r := bufio.NewReader(nc)
	if err := f.open(nc, r, address); err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	if f.unread {
		nc.SetDeadline(time.Now().Add(unreadTime))
		nc.Write(f.octets)
		time.Sleep(unreadTime / 4)
		return nil
	}
	var code frame.StatusCode
	done := make(chan error, 1)
	go func() {
		var err error
		code, err = untilClose(r)
		done <- err
	}()
	nc.Write(f.octets) // the server may cut it short
	err = <-done
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("the connection was open after %v", limit)
	}
	if f.code != 0 && code != f.code {
		return fmt.Errorf("the status code was %d, not %d (%v)", code, f.code, err)
	}
	return nil
}

// open makes the handshake, and joins the root namespace of Socket.IO.
func (f flood) open(nc net.Conn, r *bufio.Reader, address string) error {
	path := "/ws"
	if f.socketIO {
		path = "/socket.io/?EIO=4&transport=websocket"
	}
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, address)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("%s", response.Status)
	}
	if !f.socketIO {
		return nil
	}
	nc.Write(masked(frame.Text, []byte("40")))
	for range 2 { // the open packet of Engine.IO, and CONNECT
		if _, _, err := readFrame(r); err != nil {
			return err
		}
	}
	return nil
}

// untilClose reads up to the Close frame and returns its status code, and what comes after it.
// The error is the end of the stream, or why there is none.
func untilClose(r *bufio.Reader) (code frame.StatusCode, err error) {
	for {
		opcode, payload, err := readFrame(r)
		if err != nil {
			return code, err
		}
		if opcode == frame.Close {
			code, _, _ = frame.ParseClose(payload)
		}
	}
}

func readFrame(r *bufio.Reader) (frame.Opcode, []byte, error) {
	for size := 2; ; size++ {
		b, err := r.Peek(size)
		if err != nil {
			return 0, nil, err
		}
		h, n, err := frame.Parse(b)
		if err != nil {
			return 0, nil, err
		}
		if n > 0 {
			r.Discard(n)
			payload := make([]byte, h.Length)
			_, err := io.ReadFull(r, payload)
			return h.Opcode, payload, err
		}
	}
}
