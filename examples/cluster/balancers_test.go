package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parleyws/parley/engineio"
	"github.com/parleyws/parley/socketio"
)

// A balancer is a program that spreads requests over the nodes. Its configuration is a file
// in the folder balancers.
type balancer struct {
	program, debian, file string
	args                  func(folder, file string) []string
}

var balancers = []balancer{
	{"nginx", "nginx-light", "nginx.conf", func(folder, file string) []string {
		return []string{"-p", folder, "-e", "stderr", "-c", file, "-g", "daemon off; master_process off;"}
	}},
	{"haproxy", "haproxy", "haproxy.cfg", func(_, file string) []string { return []string{"-db", "-f", file} }},
	{"caddy", "caddy", "Caddyfile", func(_, file string) []string {
		return []string{"run", "--adapter", "caddyfile", "--config", file}
	}},
}

// In the files each port is for another way to choose the node. The last one keeps no client
// on its node.
const (
	byCookie  = "8080"
	byAddress = "8081"
	byID      = "8082"
	inTurn    = "8083"
)

// start starts the balancer before nodes, and returns its URL for each port of its file.
func (b balancer) start(t *testing.T, nodes []string) map[string]string {
	t.Helper()
	program, err := exec.LookPath(b.program)
	if err != nil {
		if os.Getenv("PARLEY_BROKERS") == "required" {
			t.Fatal(err)
		}
		t.Skipf("not run: %s is missing (Debian's package %s)", b.program, b.debian)
	}
	conf, err := os.ReadFile(filepath.Join("balancers", b.file))
	if err != nil {
		t.Fatal(err)
	}
	var ports []string // of the file, each followed by the one here
	for i, node := range nodes {
		u, _ := url.Parse(node)
		ports = append(ports, fmt.Sprint(3000+i), u.Port()) // they are names too
	}
	urls := make(map[string]string)
	for _, port := range []string{byCookie, byAddress, byID, inTurn} {
		free := freePort(t)
		ports = append(ports, port, free)
		urls[port] = "http://127.0.0.1:" + free
	}
	folder := t.TempDir()
	file := filepath.Join(folder, b.file)
	if err := os.WriteFile(file, []byte(strings.NewReplacer(ports...).Replace(string(conf))), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, b.args(folder, file)...)
	cmd.Env = append(os.Environ(), "HOME="+folder) // Caddy keeps things there
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", b.program, said.String())
		}
	})
	for _, u := range urls {
		eventually(t, b.program+" answers", func() bool {
			response, err := http.Get(u)
			if err != nil {
				return false
			}
			response.Body.Close()
			return response.StatusCode == http.StatusOK
		})
	}
	return urls
}

// freePort returns a port on which nobody listens. It lies below those that the system gives
// to connections by itself, so that hardly anybody takes it before its use.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(10240 + rand.IntN(12_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !true(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("not yet: ", what)
		}
	}
}

// A door is how the clients of a test get to a balancer. It notes what passes.
type door struct {
	mu      sync.Mutex
	unknown int            // responses "Session ID unknown"
	nodes   map[string]int // how many requests were for a session of each node
}

// A visitor is the RoundTripper of one client, with an address of its own.
type visitor struct {
	*door
	http.Transport
}

// visitor returns the i-th visitor's. It has an address of its own where that is possible.
func (d *door) visitor(i int) *visitor {
	dialer := &net.Dialer{}
	if runtime.GOOS == "linux" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, 0, byte(i), 1)}
	}
	return &visitor{door: d, Transport: http.Transport{DialContext: dialer.DialContext}}
}

func (v *visitor) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := v.Transport.RoundTrip(r)
	v.mu.Lock()
	defer v.mu.Unlock()
	if node, _, named := strings.Cut(r.URL.Query().Get("sid"), "."); named {
		v.nodes[node]++
	}
	if err == nil && response.StatusCode == http.StatusBadRequest {
		v.unknown++
	}
	return response, err
}

// modes are the transports that a client may use.
var modes = [][]string{{"polling"}, {"polling", "websocket"}, {"websocket"}}

// mode is the i-th client's. Those of each mode spread over three nodes that get one client
// after the other.
func mode(i int) []string { return modes[(i+i/3)%3] }

// options are those of the i-th client of a URL. It sends an Origin, as a browser does.
func (d *door) options(t *testing.T, url string, i int) *socketio.DialOptions {
	v := d.visitor(i)
	t.Cleanup(v.CloseIdleConnections)
	return &socketio.DialOptions{
		Logger:       slog.New(slog.DiscardHandler),
		Reconnection: socketio.Reconnection{Delay: 20 * time.Millisecond, MaxDelay: 100 * time.Millisecond},
		Engine: engineio.DialOptions{
			Transports: mode(i),
			HTTPClient: &http.Client{Transport: v},
			Header:     http.Header{"Origin": {url}},
		},
	}
}

// crowdRooms is how many rooms a crowd is in.
const crowdRooms = 5

func room(i int) string { return fmt.Sprint("room ", i%crowdRooms) }

// crowd returns so many clients, with each URL and each mode, on its last transport.
func (d *door) crowd(t *testing.T, most int, urls ...string) (all []*client) {
	t.Helper()
	for i := range most {
		url := urls[i/9%len(urls)]
		all = append(all, dialWith(t, url, d.options(t, url, i)))
	}
	for i, c := range all {
		eventually(t, "the upgrade", func() bool { return c.Transport() == mode(i)[len(mode(i))-1] })
	}
	return all
}

// talk lets the clients join the rooms, and each send many bytes, which must reach all others
// of its room, whichever nodes they are on.
func talk(t *testing.T, all []*client) {
	t.Helper()
	for i, c := range all {
		if _, err := socketio.Call[[]person](t.Context(), c, "join-room", room(i)); err != nil {
			t.Fatal(err)
		}
	}
	data := bytes.Repeat([]byte{0, 1, 255}, 10_000)
	for i, c := range all {
		if _, err := socketio.Call[bool](t.Context(), c, "message", message{room(i), data}); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range all {
		for range len(all)/crowdRooms - 1 {
			if got, _ := c.next(t).([]byte); !bytes.Equal(got, data) {
				t.Fatalf("client %d got %d other bytes", i, len(got))
			}
		}
	}
}

// Clients stay on their node by each of the ways that a balancer knows. Where it knows none,
// those on long-polling fail, unless the nodes pass requests on.
func TestBalancers(t *testing.T) {
	for _, b := range balancers {
		t.Run(b.program, func(t *testing.T) {
			t.Parallel()
			nodes := start(t, 3)
			urls := b.start(t, nodes)
			for _, port := range []string{byCookie, byAddress, byID} {
				d := &door{nodes: make(map[string]int)}
				talk(t, d.crowd(t, 30, urls[port]))
				d.mu.Lock()
				if d.unknown > 0 {
					t.Errorf("port %s: %d requests were on the wrong node", port, d.unknown)
				}
				if len(d.nodes) < 2 && (port != byAddress || runtime.GOOS == "linux") {
					t.Errorf("port %s: the clients were on the nodes %v", port, d.nodes)
				}
				d.mu.Unlock()
			}
			d := &door{nodes: make(map[string]int)}
			for i := range modes {
				o := d.options(t, urls[inTurn], i)
				o.Reconnection.Off = true
				c, err := socketio.Dial(t.Context(), urls[inTurn], o)
				if err == nil {
					c.Close()
				}
				if failed := err != nil; failed != (mode(i)[0] == "polling") {
					t.Errorf("in turn, %s: %v", mode(i), err)
				}
			}
			d.mu.Lock()
			if d.unknown == 0 {
				t.Error("in turn: no request was on the wrong node")
			}
			d.mu.Unlock()

			d = &door{nodes: make(map[string]int)}
			urls = b.start(t, start(t, 3, "-relay"))
			talk(t, d.crowd(t, 30, urls[inTurn]))
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.unknown > 0 {
				t.Errorf("with -relay: %d requests failed", d.unknown)
			}
		})
	}
}

// A node that is killed: its clients come back by the same balancer, to the other nodes.
func TestNodeDies(t *testing.T) {
	for _, b := range balancers {
		t.Run(b.program, func(t *testing.T) {
			t.Parallel()
			broker := startNATS(t)
			var nodes []string
			kill := make(map[string]func()) // by the node's name
			for range 3 {
				node, end := startProcess(t, "-addr", "127.0.0.1:0", "-nats", broker)
				nodes = append(nodes, node)
				u, _ := url.Parse(node)
				kill[u.Port()] = end
			}
			urls := b.start(t, nodes)
			d := &door{nodes: make(map[string]int)}
			all := d.crowd(t, 45, urls[byCookie], urls[byAddress], urls[byID])
			talk(t, all)
			var back atomic.Int64
			for _, c := range all {
				c.OnConnect(func() { back.Add(1) })
			}
			d.mu.Lock()
			busiest := slices.MaxFunc(slices.Collect(maps.Keys(d.nodes)), func(a, b string) int { return d.nodes[a] - d.nodes[b] })
			d.mu.Unlock()
			kill[busiest]()
			for i, c := range all {
				eventually(t, "the client is back", func() bool {
					ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
					defer cancel()
					_, err := socketio.Call[[]person](ctx, c, "join-room", room(i))
					return err == nil
				})
			}
			talk(t, all)
			if back.Load() == 0 {
				t.Error("no client was on the node")
			}
		})
	}
}
