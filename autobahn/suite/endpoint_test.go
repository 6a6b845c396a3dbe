package suite_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parleyws/parley/frame"
)

// A fault is one rule that an endpoint breaks.
type fault int

const (
	none              fault = iota
	noTextCheck             // text is not checked
	lateTextCheck           // text is checked only when the message is complete
	pongDropped             // a ping is not answered
	wrongCode               // the code for a broken protocol is 1003
	bitsIgnored             // reserved bits are not checked
	joinedWrongly           // the first fragment is put last
	windowBroken            // the answer agrees to 9 bits, but 15 are used
	windowLeftOut           // 9 bits are asked for, the answer omits them, and 15 are used
	takeoverIgnored         // each message is inflated as if it were the first
	streamKept              // a server waits for the client to end the stream
	silentEnd               // a broken protocol ends without a Close frame
	contentChanged          // the echo has the right length and other bytes
	closeCodeAccepted       // any close code is accepted and sent back
)

// A direction holds the parameters of one direction.
type direction struct {
	noTakeover bool
	bits       int // log2 of the window in bytes
}

// An endpoint is a very simple echo server or client. It reads a frame, byte by
// byte where that matters, and writes a frame.
type endpoint struct {
	nc     net.Conn
	in     *bufio.Reader
	client bool
	fault  fault

	deflate bool
	send    direction
	receive direction
	window  []byte // the bytes that were inflated last
	packer  *flate.Writer
	packed  bytes.Buffer

	op         frame.Opcode // opcode of the current message; 0 if there is none
	compressed bool
	message    []byte
	first      int    // length of the first frame of the message
	partial    []byte // the incomplete character at the end of the text so far
}

// simple runs an endpoint on nc until the connection ends.
func simple(nc net.Conn, client bool, f fault) {
	defer nc.Close()
	e := &endpoint{nc: nc, in: bufio.NewReader(nc), client: client, fault: f}
	if err := e.handshake(); err != nil {
		return
	}
	err := e.echo()
	var broken *frame.Error
	if errors.As(err, &broken) && f != silentEnd {
		code := broken.Code
		if f == wrongCode {
			code = frame.StatusUnsupportedData
		}
		e.write(frame.Close, false, frame.AppendClose(nil, code, ""))
	}
	if !client && f != streamKept {
		nc.(interface{ CloseWrite() error }).CloseWrite()
	}
	if f != silentEnd {
		io.Copy(io.Discard, e.in)
	}
}

var errClosed = errors.New("closed")

func protocolError(reason string) error {
	return &frame.Error{Code: frame.StatusProtocolError, Reason: reason}
}

// echo answers frames until the connection ends.
func (e *endpoint) echo() error {
	for {
		h, err := e.header()
		if err != nil {
			return err
		}
		payload, err := e.payload(h)
		if err != nil {
			return err
		}
		switch h.Opcode {
		case frame.Ping:
			if e.fault != pongDropped {
				e.write(frame.Pong, false, payload)
			}
		case frame.Pong:
		case frame.Close:
			return e.answerClose(payload)
		default:
			if err := e.data(h, payload); err != nil {
				return err
			}
		}
	}
}

func (e *endpoint) answerClose(payload []byte) error {
	if e.fault == closeCodeAccepted && len(payload) >= 2 {
		e.write(frame.Close, false, payload[:2])
		return errClosed
	}
	code, _, err := frame.ParseClose(payload)
	if err != nil {
		return err
	}
	e.write(frame.Close, false, frame.AppendClose(nil, code, ""))
	return errClosed
}

func (e *endpoint) header() (frame.Header, error) {
	for n := 2; ; n++ {
		b, err := e.in.Peek(n)
		if err != nil {
			return frame.Header{}, err
		}
		if h, size, err := frame.Parse(b); err != nil || size > 0 {
			e.in.Discard(size)
			return h, errors.Join(err, e.check(h))
		}
	}
}

func (e *endpoint) check(h frame.Header) error {
	control := h.Opcode.IsControl()
	switch {
	case h.Masked == e.client:
		return protocolError("mask")
	case e.fault != bitsIgnored && (h.Rsv2 || h.Rsv3):
		return protocolError("reserved bits")
	case e.fault != bitsIgnored && h.Rsv1 && (!e.deflate || control || h.Opcode == frame.Continuation):
		return protocolError("Rsv1")
	case h.Opcode.IsReserved():
		return protocolError("opcode")
	case control && (!h.Fin || h.Length > frame.MaxControlPayload):
		return protocolError("control frame")
	case !control && (h.Opcode == frame.Continuation) != (e.op != 0):
		return protocolError("fragments")
	}
	return nil
}

// payload reads the payload of a frame. If it is uncompressed text, payload
// checks it while it arrives.
func (e *endpoint) payload(h frame.Header) ([]byte, error) {
	payload := make([]byte, h.Length)
	inText := !h.Opcode.IsControl() && !h.Rsv1 && !e.compressed && (h.Opcode == frame.Text || h.Opcode == frame.Continuation && e.op == frame.Text)
	for done := 0; done < len(payload); {
		n, err := e.in.Read(payload[done:])
		if err != nil {
			return nil, err
		}
		if h.Masked {
			for i := done; i < done+n; i++ {
				payload[i] ^= h.MaskKey[i%4]
			}
		}
		if inText && e.fault != noTextCheck && e.fault != lateTextCheck && !e.goesOn(payload[done:done+n]) {
			return nil, &frame.Error{Code: frame.StatusInvalidPayload, Reason: "text"}
		}
		done += n
	}
	return payload, nil
}

// goesOn reports whether part may follow the text before it. It keeps an incomplete
// character at the end for the next part.
func (e *endpoint) goesOn(part []byte) bool {
	text := append(e.partial, part...)
	for len(text) > 0 && utf8.FullRune(text) {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			return false
		}
		text = text[n:]
	}
	e.partial = text
	return true
}

// data takes a frame of a message. After the last frame it sends the message back.
func (e *endpoint) data(h frame.Header, payload []byte) error {
	if h.Opcode != frame.Continuation {
		e.op, e.compressed, e.message = h.Opcode, h.Rsv1 && e.deflate, nil
		e.first = len(payload)
	}
	e.message = append(e.message, payload...)
	if !h.Fin {
		return nil
	}
	op, message := e.op, e.message
	if e.fault == joinedWrongly {
		message = slices.Concat(message[e.first:], message[:e.first])
	}
	e.op, e.message, e.partial = 0, nil, nil
	if e.compressed {
		var err error
		if message, err = e.inflate(message); err != nil {
			return err
		}
		e.compressed = false
	}
	if op == frame.Text && e.fault != noTextCheck && !utf8.Valid(message) {
		return &frame.Error{Code: frame.StatusInvalidPayload, Reason: "text"}
	}
	if e.fault == contentChanged && len(message) > 0 {
		message[0] ^= 1
	}
	if e.deflate {
		e.write(op, true, e.pack(message))
	} else {
		e.write(op, false, message)
	}
	return nil
}

func (e *endpoint) write(op frame.Opcode, compressed bool, payload []byte) {
	h := frame.Header{Fin: true, Rsv1: compressed, Opcode: op, Masked: e.client, Length: int64(len(payload))}
	e.nc.Write(append(h.Append(nil), payload...)) // the masking key is zero
}

// inflate keeps a window of 32 KiB, whatever was agreed.
func (e *endpoint) inflate(p []byte) ([]byte, error) {
	if e.receive.noTakeover || e.fault == takeoverIgnored {
		e.window = nil
	}
	r := flate.NewReaderDict(io.MultiReader(bytes.NewReader(p), strings.NewReader("\x00\x00\xFF\xFF\x01\x00\x00\xFF\xFF")), e.window)
	message, err := io.ReadAll(r)
	if err != nil {
		return nil, &frame.Error{Code: frame.StatusInvalidPayload, Reason: "deflate"}
	}
	e.window = append(e.window, message...)
	e.window = e.window[max(0, len(e.window)-32<<10):]
	return message, nil
}

// pack compresses p. If the window is not the greatest, it uses no distances at all.
func (e *endpoint) pack(p []byte) []byte {
	if e.packer == nil {
		level := flate.DefaultCompression
		if e.send.bits < 15 && e.fault != windowBroken && e.fault != windowLeftOut {
			level = flate.HuffmanOnly
		}
		e.packer, _ = flate.NewWriter(&e.packed, level)
	}
	e.packed.Reset()
	if e.send.noTakeover {
		e.packer.Reset(&e.packed)
	}
	e.packer.Write(p)
	e.packer.Flush()
	return e.packed.Bytes()[:e.packed.Len()-4]
}

func (e *endpoint) handshake() error {
	const key = "dGhlIHNhbXBsZSBub25jZQ=="
	if e.client {
		fmt.Fprintf(e.nc, "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"+
			"Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; client_max_window_bits\r\n\r\n", key)
		answer, err := http.ReadResponse(e.in, nil)
		if err != nil {
			return err
		}
		e.agree(answer.Header.Get("Sec-WebSocket-Extensions"), "client", "server")
		return nil
	}
	request, err := http.ReadRequest(e.in)
	if err != nil {
		return err
	}
	said, _, _ := strings.Cut(request.Header.Get("Sec-WebSocket-Extensions"), ",")
	said = strings.ReplaceAll(strings.ReplaceAll(said, "; client_no_context_takeover", ""), "; client_max_window_bits", "")
	e.agree(said, "server", "client")
	if e.fault == windowLeftOut {
		said = strings.ReplaceAll(said, "; server_max_window_bits=9", "")
	}
	sum := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(e.nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	if e.deflate {
		fmt.Fprintf(e.nc, "Sec-WebSocket-Extensions: %s\r\n", said)
	}
	_, err = io.WriteString(e.nc, "\r\n")
	return err
}

// agree adopts the parameters of the answer.
func (e *endpoint) agree(answer, us, them string) {
	e.deflate = answer != ""
	read := func(side string) direction {
		d := direction{bits: 15, noTakeover: strings.Contains(answer, side+"_no_context_takeover")}
		if strings.Contains(answer, side+"_max_window_bits=9") {
			d.bits = 9
		}
		return d
	}
	e.send, e.receive = read(us), read(them)
}
