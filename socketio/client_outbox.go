package socketio

import (
	"slices"
	"time"

	"github.com/parleyws/parley/socketio/internal/packet"
)

// A parcel is an event that a client sends.
type parcel struct {
	e       *emission
	id      uint64                          // of the acknowledgement, if one is asked for
	asks    bool                            // it is
	retried bool                            // it is sent again if need be
	reply   func(u *packet.Unit, err error) // gets the acknowledgement, or why there is none; nil: nobody waits
	name    string                          // of the event, for the log
	timeout time.Duration                   // of the acknowledgement, with retries
	timer   *time.Timer                     // of the acknowledgement that is awaited, with retries
	number  uint64                          // in the order in which parcels entered the outbox
	tries   int                             // how often it was sent
	away    bool                            // it was sent and its acknowledgement is awaited
}

// What a parcel takes in memory beside the bytes of its packet, and each message of it:
// at least what it takes in the session's queue, to which an outbox moves at once.
const (
	parcelOverhead  = 140
	messageOverhead = 160
)

func (p *parcel) size() int { return parcelOverhead + messageOverhead*len(p.e.messages) + p.e.size }

// An outbox holds the events of a namespace that can't be sent yet, in the order in
// which they were emitted: because the namespace is not connected, or, with retries,
// because the event before is not acknowledged. It is pure, and bounded.
type outbox struct {
	most       int // parcels
	mostBytes  int // their size, as it is now: see Client.keep
	dropOldest bool

	parcels []*parcel
	bytes   int
	numbers uint64 // the number of the next parcel
	dropped uint64 // parcels that made room
}

// push adds p. It returns what was dropped to make room, and ErrBufferFull if there is
// none for p: nothing is dropped then.
func (b *outbox) push(p *parcel) (dropped []*parcel, err error) {
	size := p.size()
	if !b.fits(len(b.parcels), b.bytes, size) {
		stays, bytes := b.away()
		if !b.dropOldest || !b.fits(stays, bytes, size) {
			return nil, ErrBufferFull
		}
		for !b.fits(len(b.parcels), b.bytes, size) {
			oldest := b.parcels[stays]
			b.remove(oldest)
			b.dropped++
			dropped = append(dropped, oldest)
		}
	}
	p.number = b.numbers
	b.numbers++
	b.parcels = append(b.parcels, p)
	b.bytes += size
	return dropped, nil
}

// fits reports whether there is room for a parcel of a size beside others.
func (b *outbox) fits(others, bytes, size int) bool {
	return others < b.most && bytes+size <= b.mostBytes
}

// away returns how many of the first parcels are on their way, and their size: these
// are not dropped.
func (b *outbox) away() (n, bytes int) {
	for n < len(b.parcels) && b.parcels[n].away {
		bytes += b.parcels[n].size()
		n++
	}
	return n, bytes
}

// first returns the oldest parcel, nil if there is none.
func (b *outbox) first() *parcel {
	if len(b.parcels) == 0 {
		return nil
	}
	return b.parcels[0]
}

// remove takes p out. It returns false if p is not there.
func (b *outbox) remove(p *parcel) bool {
	i := slices.Index(b.parcels, p)
	if i < 0 {
		return false
	}
	b.bytes -= p.size()
	b.parcels[i] = nil
	if i == 0 {
		b.parcels = b.parcels[1:] // the memory goes with the last one, or when push needs more
	} else {
		b.parcels = slices.Delete(b.parcels, i, i+1)
	}
	if len(b.parcels) == 0 {
		b.parcels = nil
	}
	return true
}

// take empties the outbox and returns what was in it.
func (b *outbox) take() []*parcel {
	all := b.parcels
	b.parcels, b.bytes = nil, 0
	return all
}

// passed reports whether all parcels before a number have left.
func (b *outbox) passed(number uint64) bool {
	p := b.first()
	return p == nil || p.number >= number
}
