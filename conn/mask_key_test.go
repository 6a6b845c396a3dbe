package conn_test

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/parleyws/parley/conn"
	"github.com/parleyws/parley/handshake"
	"github.com/parleyws/parley/internal/pipe"
)

// maskKeys returns the keys of n frames of a new client.
func maskKeys(t *testing.T, n int) []uint32 {
	t.Helper()
	a, b := pipe.New()
	c := must(conn.New(&handshake.Result{Conn: a}, conn.RoleClient, limits(conn.Limits{WriteTimeout: -1})))
	defer c.CloseNow()
	go func() {
		for range n {
			if c.Write(context.Background(), conn.Binary, nil) != nil {
				return
			}
		}
	}()
	octets := make([]byte, 6*n)
	if _, err := io.ReadFull(b, octets); err != nil {
		t.Fatal(err)
	}
	keys := make([]uint32, n)
	for i := range keys {
		keys[i] = binary.BigEndian.Uint32(octets[6*i+2:])
	}
	return keys
}

// Masking keys look random (RFC 6455, section 5.3): no bit is more often one
// than zero, no key comes more often than chance has it, and no connection
// repeats another one's.
func TestMaskKeys(t *testing.T) {
	const n = 1_000_000
	keys := maskKeys(t, n)
	var ones [32]int
	for _, key := range keys {
		for bit := range ones {
			ones[bit] += int(key >> bit & 1)
		}
	}
	for bit, got := range ones {
		// Seven standard deviations: once in ten billion runs.
		if diff := math.Abs(float64(got) - n/2); diff > 7*math.Sqrt(n)/2 {
			t.Errorf("bit %d is set in %d of %d keys", bit, got, n)
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	// n*n/2/2^32 is 116, with a standard deviation of 11.
	if repeats := n - len(keys); repeats < 116-7*11 || repeats > 116+7*11 {
		t.Errorf("%d keys came again, want about 116", repeats)
	}
	common := 0
	for _, key := range maskKeys(t, 1000) {
		if _, found := slices.BinarySearch(keys, key); found {
			common++
		}
	}
	if common > 10 { // want 0.23 on average
		t.Errorf("another connection has %d of 1,000 keys in common", common)
	}
}
