package network

import (
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parleyws/parley/conn"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "100") // they wait, most of the time
	os.Exit(m.Run())
}

var quiet = slog.New(slog.DiscardHandler)

// shells are what waits for the messages of a server's connections.
var shells = []struct {
	name string
	loop func() *conn.Loop
}{
	{"goroutines", func() *conn.Loop { return &conn.Loop{After: -1} }},
	{"a loop", func() *conn.Loop { return new(conn.Loop) }},
}

// late is by how much something may come later than the documentation says: by what a busy
// machine and a round trip take.
const late = 6 * time.Second

// A moment is when something happened, and what.
type moment struct {
	at   time.Time
	what string
}

// A diary has the moments of one kind.
type diary struct {
	name string
	mu   sync.Mutex
	list []moment
}

func (d *diary) note(what any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, moment{time.Now(), fmt.Sprint(what)})
}

func (d *diary) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.list)
}

// await returns the n-th moment, from 0 on, which must come within some time.
func (d *diary) await(t *testing.T, n int, within time.Duration) moment {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(within); ; {
		d.mu.Lock()
		if len(d.list) > n {
			defer d.mu.Unlock()
			return d.list[n]
		}
		d.mu.Unlock()
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("%s: %d of %d within %v", d.name, d.count(), n+1, within)
		}
	}
}

// between checks that a time is at least and at most what the documentation says.
func between(t *testing.T, what string, got, least, most time.Duration) {
	t.Helper()
	if got < least-100*time.Millisecond || got > most+late {
		t.Errorf("%s: after %v, want from %v to %v", what, seconds(got), least, most)
	}
}

// row logs a row of the table in docs/networks.md.
func row(t *testing.T, cells ...any) {
	t.Helper()
	var b strings.Builder
	for _, c := range cells {
		fmt.Fprintf(&b, "| %v ", c)
	}
	t.Logf("%s|", b.String())
}

// seconds writes a time as the table does.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// serve serves HTTP in the world until the test ends.
func (w *world) serve(t *testing.T, h http.Handler) {
	s := &http.Server{Handler: h}
	go s.Serve(w.listener)
	t.Cleanup(func() { s.Close() })
}

// web is a client's http.Client.
func (w *world) web() *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: w.client.dial}}
}

// long skips what takes minutes, and lets the tests run beside each other.
func long(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes")
	}
	t.Parallel()
}
