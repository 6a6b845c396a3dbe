package interop

import (
	"math"
	"math/rand/v2"

	"github.com/parleyws/parley/frame"
)

// A message is sent by one end and sent back by the other.
type message struct {
	op      frame.Opcode
	payload []byte
	parts   int // number of fragments, if the library can send fragments
}

// maxMessage is the default limit on the size of messages, 1 MiB.
const maxMessage = 1 << 20

// edges lists the lengths at which the form of a header changes, a buffer ends or the
// limit is reached.
var edges = []int{0, 1, 125, 126, 127, 4095, 4096, 4097, 1<<16 - 1, 1 << 16, 1<<16 + 1, maxMessage - 1, maxMessage}

// randomMessages returns n messages. The first have the lengths of edges, as
// text and as binary. The others have random lengths up to the limit, with
// every order of magnitude equally often. All payloads are random, and every
// other binary payload can't be compressed.
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

// randomOctets returns random bytes below values.
func randomOctets(r *rand.Rand, length, values int) []byte {
	p := make([]byte, length)
	for i := range p {
		p[i] = byte(r.IntN(values))
	}
	return p
}

// alphabets holds characters of one to four bytes.
var alphabets = [][]rune{
	[]rune("the quick brown fox "),
	[]rune("žluťoučký kůň ñandú "),
	[]rune("жёлтый конь быстро "),
	[]rune("いろはにほへと日本語"),
	[]rune("मन्दः श्वा शेते"),
	[]rune("🦊🐕🏃‍♂️𝒳𐍈"),
}

// randomText returns UTF-8 text of exactly length bytes.
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
