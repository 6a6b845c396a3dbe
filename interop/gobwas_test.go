package interop

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/parleyws/parley/frame"
)

var gobwas = library{
	name:      "gobwas",
	modes:     []mode{plain, deflate},
	fragments: true,
	handler: func(m mode, serve func(session)) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			extension := wsflate.Extension{Parameters: wsflate.DefaultParameters}
			var upgrader ws.HTTPUpgrader
			if m != plain {
				upgrader.Negotiate = extension.Negotiate
			}
			c, rw, _, err := upgrader.Upgrade(r, w)
			if err != nil {
				return
			}
			defer c.Close()
			_, agreed := extension.Accepted()
			serve(&gobwasSession{c: c, r: rw.Reader, deflate: agreed})
		})
	},
	dial: func(m mode, url string) (session, error) {
		var dialer ws.Dialer
		if m != plain {
			dialer.Extensions = []httphead.Option{wsflate.DefaultParameters.Option()}
		}
		c, r, terms, err := dialer.Dial(context.Background(), url)
		if err != nil {
			return nil, err
		}
		if m != plain && len(terms.Extensions) == 0 {
			c.Close()
			return nil, errNoDeflate
		}
		if r == nil {
			r = bufio.NewReader(c)
		}
		return &gobwasSession{c: c, r: r, masked: true, deflate: m != plain}, nil
	},
}

// A gobwasSession joins frames to messages itself, because the library leaves
// that to its users.
type gobwasSession struct {
	c       net.Conn
	r       *bufio.Reader
	masked  bool
	deflate bool

	mu sync.Mutex // held while a frame is written
}

func (s *gobwasSession) writeFrame(f ws.Frame) error {
	if s.masked {
		f = ws.MaskFrame(f) // copies the payload
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return ws.WriteFrame(s.c, f)
}

// readFrame returns the next frame, unmasked.
func (s *gobwasSession) readFrame() (f ws.Frame, err error) {
	if f.Header, err = ws.ReadHeader(s.r); err != nil {
		return f, err
	}
	if f.Header.Length > 2*maxMessage {
		return f, ws.ErrHeaderLengthUnexpected
	}
	f.Payload = make([]byte, f.Header.Length)
	if _, err = io.ReadFull(s.r, f.Payload); err == nil && f.Header.Masked {
		f = ws.UnmaskFrameInPlace(f)
	}
	return f, err
}

func (s *gobwasSession) write(op frame.Opcode, p []byte, n int) (err error) {
	if s.deflate {
		if p, err = wsflate.DefaultHelper.Compress(p); err != nil {
			return err
		}
	}
	for i, part := range parts(p, n) {
		f := ws.NewFrame(ws.OpContinuation, i == n-1, part)
		if i == 0 {
			f.Header.OpCode = ws.OpCode(op)
			f.Header.Rsv = ws.Rsv(s.deflate, false, false)
		}
		if err := s.writeFrame(f); err != nil {
			return err
		}
	}
	return nil
}

func (s *gobwasSession) read() (op frame.Opcode, message []byte, err error) {
	compressed := false
	for {
		f, err := s.readFrame()
		if err != nil {
			return 0, nil, err
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			if err := s.writeFrame(ws.NewPongFrame(f.Payload)); err != nil {
				return 0, nil, err
			}
			continue
		case ws.OpPong:
			continue
		case ws.OpClose:
			code, _ := ws.ParseCloseFrameData(f.Payload)
			// The write fails if this side has closed the connection.
			s.writeFrame(ws.NewCloseFrame(f.Payload))
			return 0, nil, closedError{frame.StatusCode(code)}
		case ws.OpContinuation:
		default:
			op, compressed = frame.Opcode(f.Header.OpCode), f.Header.Rsv1()
		}
		message = append(message, f.Payload...)
		if f.Header.Fin {
			break
		}
	}
	if compressed {
		message, err = wsflate.DefaultHelper.Decompress(message)
	}
	return op, message, err
}

func (s *gobwasSession) close() error {
	body := ws.NewCloseFrameBody(ws.StatusNormalClosure, "done")
	if err := s.writeFrame(ws.NewCloseFrame(body)); err != nil {
		return err
	}
	for {
		f, err := s.readFrame()
		if err != nil {
			return err
		}
		if f.Header.OpCode != ws.OpClose {
			continue
		}
		if _, err := io.Copy(io.Discard, s.r); err != nil {
			return err
		}
		return s.c.Close()
	}
}
