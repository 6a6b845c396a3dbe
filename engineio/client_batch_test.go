package engineio

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/parleyws/parley/engineio/internal/packet"
)

// fitting takes as many messages as have a payload that fits, and one at least.
func TestFitting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		queue := make([]*Message, 1+random.IntN(10))
		for i := range queue {
			queue[i] = NewMessage([]byte(strings.Repeat("x", random.IntN(30))), random.IntN(2) == 0)
		}
		most := int64(random.IntN(200))
		n := fitting(queue, most)
		size := func(n int) int64 {
			body, _ := payload(packet.V4, queue[:n])
			return int64(len(body))
		}
		if n < 1 || n > 1 && size(n) > most || n < len(queue) && size(n+1) <= most {
			t.Fatalf("%d of %d messages for %d bytes: they take %d", n, len(queue), most, size(n))
		}
		if queue[0].payloadSize() != size(1) {
			t.Fatalf("payloadSize = %d, want %d", queue[0].payloadSize(), size(1))
		}
	}
}
