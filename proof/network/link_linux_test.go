package network

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"sync"
	"time"
)

// A direction is one of the two of a link.
type direction int

const (
	toServer direction = iota
	toClient
)

// Conditions say what becomes of the packets of a direction.
type conditions struct {
	delay   time.Duration
	jitter  time.Duration // up to which a packet takes longer, at random; so packets overtake each other
	loss    float64       // the share of packets that are lost
	overdue float64       // the share of packets that take half as long again, so that others overtake them
	down    bool          // no packet arrives
}

// A link carries IP packets between two TUN devices.
type link struct {
	ends [2]*os.File // of the client and of the server
	wg   sync.WaitGroup

	mu      sync.Mutex // of the fields below
	are     [2]conditions
	chance  *rand.Rand
	flows   map[flow]int // in which age of the NAT a connection was opened
	age     int
	carried [2]int
	lost    [2]int
}

// A flow is a TCP connection, as the client's packets name it.
type flow [12]byte

// newLink starts a link whose decisions follow from seed.
func newLink(client, server *os.File, seed uint64, both conditions) *link {
	l := &link{
		ends: [2]*os.File{client, server}, are: [2]conditions{both, both},
		chance: rand.New(rand.NewPCG(seed, seed)), flows: make(map[flow]int),
	}
	for _, d := range []direction{toServer, toClient} {
		l.wg.Go(func() { l.carry(d) })
	}
	return l
}

// close ends the link. The devices go with it.
func (l *link) close() {
	for _, f := range l.ends {
		f.Close()
	}
	l.wg.Wait()
}

// set changes a direction from the next packet on.
func (l *link) set(d direction, change func(*conditions)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.are[d])
}

// down switches both directions off or on.
func (l *link) down(off bool) {
	for _, d := range []direction{toServer, toClient} {
		l.set(d, func(c *conditions) { c.down = off })
	}
}

// forget makes the NAT forget all connections: their packets are dropped from now on, in both
// directions, and nobody is told. New connections are let through.
func (l *link) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.age++
}

// carry moves packets in a direction until the link is closed.
func (l *link) carry(d direction) {
	from, to := l.ends[d], l.ends[1-d]
	packets := make(chan packet)
	var sender sync.WaitGroup
	sender.Go(func() { deliver(packets, to) })
	defer sender.Wait()
	defer close(packets)
	buffer := make([]byte, 64<<10)
	for n := 0; ; n++ {
		size, err := from.Read(buffer)
		if err != nil {
			return
		}
		if wait, ok := l.fate(d, buffer[:size]); ok {
			packets <- packet{time.Now().Add(wait), n, append([]byte(nil), buffer[:size]...)}
		}
	}
}

// fate says how long a packet takes, and whether it arrives at all.
func (l *link) fate(d direction, p []byte) (wait time.Duration, arrives bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.are[d]
	lost, overdue, jitter := l.chance.Float64() < c.loss, l.chance.Float64() < c.overdue, l.chance.Float64()
	if len(p) < 20 || p[0]>>4 != 4 { // what the kernel says of IPv6 on a new device
		return 0, false
	}
	if c.down || lost || !l.known(d, p) {
		l.lost[d]++
		return 0, false
	}
	l.carried[d]++
	wait = c.delay + time.Duration(jitter*float64(c.jitter))
	if overdue {
		wait += c.delay / 2
	}
	return wait, true
}

// known reports whether the NAT knows the connection of a packet, or the packet opens one.
func (l *link) known(d direction, p []byte) bool {
	head := int(p[0]&15) * 4
	if p[9] != 6 || len(p) < head+20 { // only TCP is asked for
		return true
	}
	var f flow
	copy(f[:], p[12:20])
	copy(f[8:], p[head:head+4])
	if d == toClient {
		f = flow(append(append(append(append([]byte{}, p[16:20]...), p[12:16]...), p[head+2:head+4]...), p[head:head+2]...))
	}
	if flags := binary.BigEndian.Uint16(p[head+12:]); flags&0x12 == 0x02 { // SYN without ACK
		l.flows[f] = l.age
	}
	age, ok := l.flows[f]
	return ok && age == l.age
}

// A packet waits until it is due.
type packet struct {
	due  time.Time
	n    int
	data []byte
}

// deliver writes packets when they are due, those that are due at the same time in the order
// in which they came, until the channel is closed.
func deliver(packets <-chan packet, to *os.File) {
	var waiting queue
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		for len(waiting) > 0 && !waiting[0].due.After(time.Now()) {
			_, _ = to.Write(heap.Pop(&waiting).(packet).data) // a device whose queue is full drops it, as they do
		}
		if len(waiting) > 0 {
			timer.Reset(time.Until(waiting[0].due))
		}
		select {
		case p, ok := <-packets:
			if !ok {
				return
			}
			heap.Push(&waiting, p)
		case <-timer.C:
		}
	}
}

// A queue is a heap of packets, the one that is due first on top.
type queue []packet

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(packet)) }
func (q queue) Less(i, j int) bool {
	return q[i].due.Before(q[j].due) || q[i].due.Equal(q[j].due) && q[i].n < q[j].n
}
func (q *queue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	*q = (*q)[:last]
	return p
}
