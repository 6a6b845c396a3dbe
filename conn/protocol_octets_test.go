package conn_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"

	"github.com/parleyws/parley/frame"
)

// zeros returns n octets 00 in hexadecimal.
func zeros(n int) string { return strings.Repeat("00", n) }

func repeat(s string, n int) string { return strings.Repeat(s, n) }

// bomb returns a compressed message of one octet more than the limit.
func bomb() string {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	w.Write(make([]byte, messageLimit+1))
	w.Flush()
	p := b.Bytes()[:b.Len()-4]
	h := frame.Header{Fin: true, Rsv1: true, Opcode: frame.Binary, Length: int64(len(p))}
	return fmt.Sprintf("%x", append(h.Append(nil), p...))
}
