package stream

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parleyws/parley/conn/internal/pool"
	"github.com/parleyws/parley/internal/loop"
)

// A fake is a net.Conn, and an endpoint, that does what the test says and notes what is done.
type fake struct {
	net.Conn
	below     net.Conn // what unwrap returns
	reads     []int    // what the next reads return
	rooms     []int    // how much they may
	noWrites  bool     // deadlines of writes are refused
	writes    []int    // how much the next writes take
	took      time.Duration
	failure   error // of the write after those
	wrote     []int // how much writes were given
	waited    []bool
	deadlines []time.Duration // from the write's start on; -1: none
	start     time.Time
	closed    time.Duration // after start; 0: not
	ended     error         // what CloseWrite returns
	endings   int
}

func (f *fake) Read(p []byte) (n int, err error) {
	f.rooms = append(f.rooms, len(p))
	if len(f.reads) == 0 {
		return 0, io.EOF
	}
	n, f.reads = f.reads[0], f.reads[1:]
	return n, nil
}

func (f *fake) Write(p []byte) (n int, err error) {
	time.Sleep(f.took)
	f.wrote = append(f.wrote, len(p))
	if len(f.writes) == 0 {
		return 0, f.failure
	}
	n, f.writes = f.writes[0], f.writes[1:]
	if n < 0 { // a deadline that passes in the middle
		return -n, os.ErrDeadlineExceeded
	}
	return min(n, len(p)), nil
}

func (f *fake) SetWriteDeadline(at time.Time) error {
	if f.noWrites {
		return errors.ErrUnsupported
	}
	if at.IsZero() {
		f.deadlines = append(f.deadlines, -1)
	} else {
		f.deadlines = append(f.deadlines, at.Sub(f.start))
	}
	return nil
}

func (f *fake) SetReadDeadline(at time.Time) error { return f.SetWriteDeadline(at) }

func (f *fake) Close() error {
	f.closed = time.Since(f.start)
	return nil
}

func (f *fake) CloseWrite() error {
	f.endings++
	return f.ended
}

func (f *fake) unwrap() net.Conn { return f.below }

func (f *fake) read(_ *Stream, p []byte, _, _ bool) (int, bool, error) {
	n, err := f.Read(p)
	return n, false, err
}

func (f *fake) write(p []byte, wait bool) (int, error) {
	f.waited = append(f.waited, wait)
	return f.Write(p)
}

func (f *fake) control(func(uintptr)) error { return nil }

// A write of a stream that is no socket goes out in pieces, which are smaller over TLS.
func TestPieces(t *testing.T) {
	const all = 200_000
	for _, c := range []struct {
		below net.Conn
		want  []int
	}{
		{nil, []int{64<<10 + 16, 64<<10 + 16, 64<<10 + 16, all - 3*(64<<10+16)}},
		{tls.Client(nil, nil), append(slices.Repeat([]int{16 << 10}, all/(16<<10)), all%(16<<10))},
	} {
		f := &fake{below: c.below, writes: slices.Repeat([]int{all}, 20)}
		s := Stream{end: f}
		if err := s.WriteAll(make([]byte, all), Forever); err != nil || !slices.Equal(f.wrote, c.want) {
			t.Errorf("%T: %v after pieces of %d, want %d", c.below, err, f.wrote, c.want)
		}
		if len(f.deadlines) > 0 {
			t.Errorf("%T: deadlines %v without a timeout", c.below, f.deadlines)
		}
	}
}

// What becomes of a write on a stream that is no socket, piece by piece.
func TestWritesOfPieces(t *testing.T) {
	failure := errors.New("failure")
	const s = time.Second
	for name, c := range map[string]struct {
		fake      fake
		writes    bool // the stream can be tried to write to
		timeout   time.Duration
		want      error
		wrote     []int // of 10
		deadlines []time.Duration
	}{
		"whole":              {fake: fake{writes: []int{10}}, timeout: Forever, wrote: []int{10}},
		"parts":              {fake: fake{writes: []int{3, 3, 4}}, timeout: Forever, wrote: []int{10, 7, 4}},
		"nothing":            {fake: fake{writes: []int{3, 0}}, timeout: Forever, want: io.ErrNoProgress, wrote: []int{10, 7}},
		"failure":            {fake: fake{writes: []int{3}, failure: failure}, timeout: Forever, want: failure, wrote: []int{10, 7}},
		"in time":            {fake: fake{writes: []int{10}}, timeout: 5 * s, wrote: []int{10}, deadlines: []time.Duration{5 * s}},
		"progress":           {fake: fake{writes: []int{-4, 6}, took: s}, timeout: 5 * s, wrote: []int{10, 6}, deadlines: []time.Duration{5 * s, 5 * s}},
		"a byte":             {fake: fake{writes: []int{-1, 9}, took: s}, timeout: 5 * s, wrote: []int{10, 9}, deadlines: []time.Duration{5 * s, 5 * s}},
		"none over TLS":      {fake: fake{below: tls.Client(nil, nil), writes: []int{-4, 6}}, timeout: 5 * s, want: os.ErrDeadlineExceeded, wrote: []int{10}, deadlines: []time.Duration{5 * s}},
		"too slow":           {fake: fake{writes: []int{3, 3, 4}, took: 2500 * time.Millisecond}, timeout: 5 * s, want: os.ErrDeadlineExceeded, wrote: []int{10, 7}, deadlines: []time.Duration{5 * s, 5 * s}},
		"tried afterwards":   {fake: fake{writes: []int{10}}, writes: true, timeout: 5 * s, wrote: []int{10}, deadlines: []time.Duration{5 * s, -1}},
		"failed in time":     {fake: fake{failure: failure}, timeout: 5 * s, want: failure, wrote: []int{10}, deadlines: []time.Duration{5 * s}},
		"no deadlines":       {fake: fake{writes: []int{10}, noWrites: true, took: 5*s - 1}, timeout: 5 * s, wrote: []int{10}},
		"closed":             {fake: fake{failure: failure, noWrites: true, took: 5*s + 1}, timeout: 5 * s, want: os.ErrDeadlineExceeded, wrote: []int{10}},
		"at the last moment": {fake: fake{writes: []int{10}, noWrites: true, took: 5*s + 1}, timeout: 5 * s, wrote: []int{10}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := c.fake
			if f.start = time.Now(); f.below == nil {
				f.below = &f
			}
			stream := Stream{end: &f, writes: c.writes}
			err := stream.WriteAll(make([]byte, 10), c.timeout)
			if err != c.want || !slices.Equal(f.wrote, c.wrote) || !slices.Equal(f.deadlines, c.deadlines) {
				t.Errorf("%s: %v after writes of %d with the deadlines %v; want %v, %d, %v", name, err, f.wrote, f.deadlines, c.want, c.wrote, c.deadlines)
			}
			if late := f.noWrites && f.took > c.timeout; (f.closed > 0) != late || stream.Stalled() != late {
				t.Errorf("%s: closed %t, stalled %t; want both %t", name, f.closed > 0, stream.Stalled(), late)
			}
		})
	}
}

// What becomes of a write to a socket: it is tried first, and then waits for as long as it may.
func TestWritesOfSocket(t *testing.T) {
	failure := errors.New("failure")
	const s = time.Second
	for name, c := range map[string]struct {
		fake      fake
		timeout   time.Duration
		want      error
		wrote     []int // of 10
		deadlines []time.Duration
	}{
		"at once":        {fake{writes: []int{10}}, 5 * s, nil, []int{10}, nil},
		"waits":          {fake{writes: []int{4, 6}}, 5 * s, nil, []int{10, 6}, []time.Duration{5 * s, -1}},
		"waits for ever": {fake{writes: []int{4, 6}}, Forever, nil, []int{10, 6}, nil},
		"slow":           {fake{writes: []int{0, 4, 6}, took: s}, 5 * s, nil, []int{10, 10, 6}, []time.Duration{6 * s, 6 * s, -1}},
		"fails":          {fake{failure: failure}, 5 * s, failure, []int{10}, nil},
		"fails later":    {fake{writes: []int{4}, failure: failure}, 5 * s, failure, []int{10, 6}, []time.Duration{5 * s, -1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := c.fake
			f.start = time.Now()
			stream := Stream{end: &f, tries: true}
			err := stream.WriteAll(make([]byte, 10), c.timeout)
			if err != c.want || !slices.Equal(f.wrote, c.wrote) || !slices.Equal(f.deadlines, c.deadlines) {
				t.Errorf("%s: %v after writes of %d with the deadlines %v; want %v, %d, %v", name, err, f.wrote, f.deadlines, c.want, c.wrote, c.deadlines)
			}
			for i, wait := range f.waited {
				if wait != (i > 0) {
					t.Errorf("%s: write %d waits: %t", name, i, wait)
				}
			}
		})
	}
}

// A read that waits has 64 bytes, and one that is likely to get more a buffer, which is large for a
// while after it was needed.
func TestSizesOfReads(t *testing.T) {
	f := &fake{}
	s := New(f, nil)
	for i, c := range []struct {
		need, room int // what Fill is given, and the read
		n, used    int // what it returns, and what is used up of all that is buffered
		held       int
	}{
		{0, 64, 10, 10, pool.Small},
		{0, 64, 64, 0, pool.Small},
		{0, pool.Small - 64, pool.Small - 64, pool.Small, pool.Small},
		{0, pool.Large, 10, 10, pool.Large},
		{0, 64, 64, 60, pool.Large},
		{0, pool.Large - 4, 5, 9, pool.Large},
		{0, 64, 10, 9, pool.Small},
		{pool.Small, pool.Small - 1, 10, 10, pool.Small},
		{pool.Small + 1, pool.Large - 1, 10, 11, pool.Large},
		{0, 64, 63, 63, pool.Small},
		{0, 64, 64, 1, pool.Small},
		{0, pool.Small - 63, 5, 68, pool.Small},
		{0, 64, 64, 64, pool.Small},
		{0, pool.Small, 10, 10, pool.Small},
	} {
		f.reads, f.rooms = []int{c.n}, nil
		n, again, err := s.Fill(c.need, false)
		if n != c.n || again || err != nil || !slices.Equal(f.rooms, []int{c.room}) || s.Held() != c.held {
			t.Errorf("%d: Fill = %d, %t, %v; after reads of %d with %d bytes held", i, n, again, err, f.rooms, s.Held())
		}
		s.Advance(c.used)
	}
	s.Drop()
}

// The deadlines of sockets are trusted, and of TLS right above one.
func TestIsTrusted(t *testing.T) {
	tcp, pipe := &net.TCPConn{}, &fake{}
	for _, c := range []struct {
		nc   net.Conn
		want bool
	}{
		{tcp, true},
		{&net.UnixConn{}, true},
		{&loop.Socket{}, true},
		{tls.Client(tcp, nil), true},
		{pipe, false},
		{tls.Client(pipe, nil), false},
		{struct{ *net.TCPConn }{tcp}, false},
		{tls.Client(tls.Client(tcp, nil), nil), false},
	} {
		if s := (Stream{trusted: isTrusted(c.nc)}); s.Trusted() != c.want {
			t.Errorf("%T is trusted: %t", c.nc, s.Trusted())
		}
	}
}

// The stream below TLS is what is ended and closed: an alert might wait.
func TestEndsBelowTLS(t *testing.T) {
	failure := errors.New("failure")
	for _, overTLS := range []bool{false, true} {
		for _, err := range []error{nil, failure} {
			f := &fake{ended: err, closed: 0}
			nc := net.Conn(f)
			if overTLS {
				nc = tls.Client(f, nil)
			}
			s := New(nc, nil)
			if s.CloseWrite() != (err == nil) || f.endings != 1 || f.closed != 0 {
				t.Errorf("TLS %t, %v: CloseWrite after %d", overTLS, err, f.endings)
			}
			if s.Close(); f.closed == 0 {
				t.Errorf("TLS %t: Close does not close", overTLS)
			}
		}
	}
	s := New(struct{ net.Conn }{&fake{}}, nil)
	if s.CloseWrite() {
		t.Error("a stream without CloseWrite is ended")
	}
}

// A limit is a deadline, and a timer that closes the stream where that may do nothing.
func TestLimit(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		trusted, refused bool
		spared           int // how often the timer is told to wait
		closed           time.Duration
	}{
		"trusted":      {trusted: true},
		"not trusted":  {closed: 6 * s},
		"no deadlines": {refused: true, closed: 5 * s},
		"none at all":  {trusted: true, refused: true, closed: 5 * s},
		"spared":       {refused: true, spared: 2, closed: 15 * s},
		"spared later": {spared: 2, closed: 18 * s},
	} {
		for _, stops := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{start: time.Now(), noWrites: c.refused}
				f.below = f
				stream := Stream{end: f, trusted: c.trusted}
				spared := c.spared
				var spare func() bool
				if spared > 0 {
					spare = func() bool { spared--; return spared >= 0 }
				}
				l := stream.limit(5*s, stream.end.SetReadDeadline, spare)
				if (l == nil) != (c.closed == 0) || !c.refused && !slices.Equal(f.deadlines, []time.Duration{5 * s}) {
					t.Errorf("%s: %v after %v", name, l, f.deadlines)
				}
				if stops {
					time.Sleep(5*s - 1)
				} else {
					time.Sleep(time.Hour)
				}
				if passed, want := l.stop(), c.closed > 0 && !stops; passed != want {
					t.Errorf("%s: it has passed: %t, want %t", name, passed, want)
				}
				time.Sleep(time.Hour)
				want := c.closed
				if stops {
					want = 0
				}
				if f.closed != want {
					t.Errorf("%s: closed after %v, want %v", name, f.closed, want)
				}
			})
		}
	}
}

// What is buffered has the smallest of the buffers in which it lies.
func TestBuffer(t *testing.T) {
	if s := New(&fake{}, nil); s.Held() != 0 || s.Buffered() != nil {
		t.Errorf("a new stream holds %d bytes", s.Held())
	}
	given := make([]byte, 2*pool.Small)
	for i := range given {
		given[i] = byte(i % 251)
	}
	for _, c := range []struct {
		have, left int
		held       int
		shrunk     bool
	}{
		{1, 1, pool.Small, false},
		{3, 3, pool.Small, false},
		{pool.Small, 10, pool.Small, false},
		{pool.Small + 1, pool.Small + 1, pool.Large, false},
		{pool.Small + 1, pool.Small, pool.Large, true},
		{2 * pool.Small, 1, pool.Large, true},
	} {
		b := slices.Clone(given[:c.have])
		s := New(&fake{}, b)
		clear(b)
		if !slices.Equal(s.Buffered(), given[:c.have]) || s.Held() != c.held {
			t.Errorf("%d bytes are other ones, or %d are held for them", c.have, s.Held())
		}
		s.Advance(c.have - c.left)
		before := s.buf
		s.Shrink()
		if !slices.Equal(s.Buffered(), given[c.have-c.left:c.have]) {
			t.Errorf("%d of %d bytes are other ones after Shrink", c.left, c.have)
		}
		if (s.buf != before) != c.shrunk || c.shrunk && s.Held() != pool.Small {
			t.Errorf("%d of %d bytes: %d are held after Shrink", c.left, c.have, s.Held())
		}
		s.Advance(c.left)
		if s.Buffered() != nil || s.Held() == 0 {
			t.Errorf("%d bytes are buffered after the last", len(s.Buffered()))
		}
		if s.Drop(); s.Held() != 0 || s.Buffered() != nil {
			t.Errorf("%d bytes are held after Drop", s.Held())
		}
	}
}
