package frame_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"testing"

	"github.com/parleyws/parley/frame"
)

// An oracle reads a header as the figure in RFC 6455, section 5.2, draws it: bit
// by bit from the left. It shares nothing with Parse.
type oracle struct {
	wire  []byte
	at    int  // in bits
	short bool // a bit was asked for after the end
}

func (o *oracle) bit() bool {
	i := o.at
	o.at++
	if i/8 >= len(o.wire) {
		o.short = true
		return false
	}
	return new(big.Int).SetBytes(o.wire[i/8:i/8+1]).Bit(7-i%8) == 1
}

func (o *oracle) number(bits int) *big.Int {
	v := new(big.Int)
	for range bits {
		v.Lsh(v, 1)
		if o.bit() {
			v.SetBit(v, 0, 1)
		}
	}
	return v
}

func (o *oracle) header() (h frame.Header, n int, err error) {
	h.Fin, h.Rsv1, h.Rsv2, h.Rsv3 = o.bit(), o.bit(), o.bit(), o.bit()
	h.Opcode = frame.Opcode(o.number(4).Int64())
	h.Masked = o.bit()
	length := o.number(7)
	var shortest int64
	switch length.Int64() {
	case 126:
		length, shortest = o.number(16), 126
	case 127:
		if o.bit() {
			return frame.Header{}, 0, frame.ErrLengthRange
		}
		length, shortest = o.number(63), 65536
	}
	h.Length = length.Int64()
	if h.Masked {
		for i := range h.MaskKey {
			h.MaskKey[i] = byte(o.number(8).Int64())
		}
	}
	if o.short {
		return frame.Header{}, 0, nil
	}
	if h.Length < shortest {
		err = frame.ErrLengthForm
	}
	return h, o.at / 8, err
}

// extensions lists the bytes that may follow the first two: each length at an
// edge, in the form that the seven bits announce.
func extensions(b1 byte) [][]byte {
	switch b1 & 0x7F {
	case 126:
		var tails [][]byte
		for _, v := range []uint16{0, 1, 125, 126, 127, 128, 255, 256, math.MaxInt16, math.MaxUint16} {
			tails = append(tails, binary.BigEndian.AppendUint16(nil, v))
		}
		return tails
	case 127:
		var tails [][]byte
		for _, v := range []uint64{0, 125, 126, 127, math.MaxUint16, math.MaxUint16 + 1, math.MaxInt32, math.MaxUint32,
			math.MaxUint32 + 1, math.MaxInt64, math.MaxInt64 + 1, math.MaxUint64} {
			tails = append(tails, binary.BigEndian.AppendUint64(nil, v))
		}
		return tails
	}
	return [][]byte{nil}
}

// Parse and the oracle agree on every pair of first bytes, with each form of the
// length at its edges, cut after every byte. Append gives back each header that
// was in its shortest form.
func TestParseAgainstOracle(t *testing.T) {
	for b0 := range 256 {
		for b1 := range 256 {
			for _, tail := range extensions(byte(b1)) {
				wire := append([]byte{byte(b0), byte(b1)}, tail...)
				wire = append(wire, 0x81, 0x02, 0x7F, 0xFF, 'p')
				for cut := range len(wire) + 1 {
					compareToOracle(t, wire[:cut])
				}
				if t.Failed() {
					return
				}
			}
		}
	}
}

func compareToOracle(t *testing.T, wire []byte) {
	t.Helper()
	o := oracle{wire: wire}
	wantHeader, wantN, wantErr := o.header()
	h, n, err := frame.Parse(wire)
	if h != wantHeader || n != wantN || err != wantErr {
		t.Errorf("Parse(%x) = %s, want %s", wire,
			fmt.Sprintf("%+v, %d, %v", h, n, err), fmt.Sprintf("%+v, %d, %v", wantHeader, wantN, wantErr))
	}
	if n > 0 && err == nil {
		if back := h.Append(nil); string(back) != string(wire[:n]) {
			t.Errorf("Append(Parse(%x)) = %x", wire[:n], back)
		}
	}
}
