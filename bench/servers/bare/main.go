// Command bare shows the limit. It is a loop with the system calls that the
// work needs and almost nothing else. It answers all frames of one read with
// one write, and checks nothing.
package main

import (
	"net"

	"github.com/gobwas/ws"
	"github.com/parleyws/parley/bench/servers/harness"
	"github.com/parleyws/parley/frame"
	"github.com/parleyws/parley/mask"
)

func main() {
	harness.Run(func(l net.Listener, _ harness.Work) error {
		for {
			nc, err := l.Accept()
			if err != nil {
				return err
			}
			go serve(nc)
		}
	})
}

func serve(nc net.Conn) {
	defer nc.Close()
	if _, err := ws.Upgrade(nc); err != nil {
		return
	}
	in, out := make([]byte, 64<<10), make([]byte, 0, 64<<10)
	have := 0
	for {
		n, err := nc.Read(in[have:])
		if err != nil {
			return
		}
		have += n
		var used int
		if out, used = answer(out[:0], in[:have]); used == 0 {
			if have == len(in) {
				in = append(in, make([]byte, len(in))...)
			}
			continue
		}
		if _, err := nc.Write(out); err != nil {
			return
		}
		have = copy(in, in[used:have])
	}
}

// answer appends the answers to the whole frames in in to out, and returns the
// length of those frames.
func answer(out, in []byte) ([]byte, int) {
	used := 0
	for {
		h, n, _ := frame.Parse(in[used:])
		end := used + n + int(h.Length)
		if n == 0 || end > len(in) {
			return out, used
		}
		p := in[used+n : end]
		mask.Bytes(p, h.MaskKey, 0)
		out = append(frame.Header{Fin: true, Opcode: h.Opcode, Length: h.Length}.Append(out), p...)
		used = end
	}
}
