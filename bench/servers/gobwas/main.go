// Command gobwas serves the report's work with gobwas/ws, by hand. It is a
// frame loop on the library's header functions, as its documentation shows for
// speed, with a buffered reader and one write for each message. It checks
// neither the order of frames nor UTF-8, and answers no Ping. So it is faster
// than a complete program, and a strict bar.
package main

import (
	"bufio"
	"io"
	"net"

	"github.com/gobwas/ws"
	"github.com/parleyws/parley/bench/servers/harness"
)

func main() {
	harness.Run(func(l net.Listener, work harness.Work) error {
		for {
			nc, err := l.Accept()
			if err != nil {
				return err
			}
			go serve(nc, work)
		}
	})
}

func serve(nc net.Conn, work harness.Work) {
	defer nc.Close()
	if _, err := ws.Upgrade(nc); err != nil {
		return
	}
	defer harness.Ping(func() error {
		_, err := nc.Write(ws.CompiledPing)
		return err
	})()
	var r io.Reader = nc
	if !work.Idle {
		r = bufio.NewReader(nc)
	}
	var b buffer
	for {
		h, err := ws.ReadHeader(r)
		if err != nil || b.readFrom(r, int(h.Length)) != nil {
			return
		}
		ws.Cipher(b.payload, h.Mask, 0)
		if h.OpCode.IsControl() {
			continue
		}
		if work.Decode(b.payload) != nil || b.writeTo(nc, h.OpCode) != nil {
			return
		}
	}
}

// A buffer holds a message, with room for a header before it.
type buffer struct {
	octets, payload []byte
}

func (b *buffer) readFrom(r io.Reader, n int) error {
	if len(b.octets) < ws.MaxHeaderSize+n {
		b.octets = make([]byte, ws.MaxHeaderSize+n)
	}
	b.payload = b.octets[ws.MaxHeaderSize:][:n]
	_, err := io.ReadFull(r, b.payload)
	return err
}

func (b *buffer) writeTo(w io.Writer, op ws.OpCode) error {
	h := ws.Header{Fin: true, OpCode: op, Length: int64(len(b.payload))}
	start := ws.MaxHeaderSize - ws.HeaderSize(h)
	if err := ws.WriteHeader(&head{b.octets[start:]}, h); err != nil {
		return err
	}
	_, err := w.Write(b.octets[start:][:ws.HeaderSize(h)+len(b.payload)])
	return err
}

// A head is an io.Writer that receives a header.
type head struct{ p []byte }

func (h *head) Write(p []byte) (int, error) { return copy(h.p, p), nil }
