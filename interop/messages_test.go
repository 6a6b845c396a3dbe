package interop

import (
	"math"
	"math/rand/v2"

	"github.com/parleyws/parley/frame"
)

// A message is what one end sends and the other sends back.
type message struct {
	op      frame.Opcode
	payload []byte
	parts   int // fragments to send it in, where the library can
}

// maxMessage is the limit on messages by default, 1 MiB.
const maxMessage = 1 << 20

// edges are the lengths at which the form of a header changes, the buffers end
// or the limit is reached.
var edges = []int{0, 1, 125, 126, 127, 4095, 4096, 4097, 1<<16 - 1, 1 << 16, 1<<16 + 1, maxMessage - 1, maxMessage}

// randomMessages returns n messages: first each of the edges as text and as
// binary, then any length up to the limit, each order of magnitude as often as
// the next. All payloads are random; of the binary ones every other is too random
// to compress.
func randomMessages(seed uint64, n int) []message {
	r := rand.New(rand.NewPCG(seed, 6455))
	messages := make([]message, 0, n)
	for i := range n {
		length := int(math.Exp2(20*r.Float64())) - 1
		if i/2 < len(edges) {
			length = edges[i/2]
		}
		m := message{op: frame.Text, parts: 1}
		if i%2 == 0 {
			m.payload = randomText(r, length)
		} else {
			m.op = frame.Binary
			m.payload = randomOctets(r, length, 256>>(i/2%2*5))
		}
		if r.IntN(3) == 0 {
			m.parts = 2 + r.IntN(4)
		}
		messages = append(messages, m)
	}
	return messages
}

// randomOctets draws from the first values octet values alone.
func randomOctets(r *rand.Rand, length, values int) []byte {
	p := make([]byte, length)
	for i := range p {
		p[i] = byte(r.IntN(values))
	}
	return p
}

// alphabets are characters of one to four octets.
var alphabets = [][]rune{
	[]rune("the quick brown fox "),
	[]rune("žluťoučký kůň ñandú "),
	[]rune("жёлтый конь быстро "),
	[]rune("いろはにほへと日本語"),
	[]rune("मन्दः श्वा शेते"),
	[]rune("🦊🐕🏃‍♂️𝒳𐍈"),
}

// randomText is UTF-8 of exactly length octets.
func randomText(r *rand.Rand, length int) []byte {
	p := make([]byte, 0, length+4)
	for len(p) < length {
		alphabet := alphabets[r.IntN(len(alphabets))]
		for range 1 + r.IntN(30) {
			next := string(alphabet[r.IntN(len(alphabet))])
			if len(p)+len(next) > length {
				next = "."
			}
			if len(p) < length {
				p = append(p, next...)
			}
		}
	}
	return p
}
