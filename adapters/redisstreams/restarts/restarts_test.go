package restarts

import (
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parleyws/parley/adapters/internal/brokertest"
)

var (
	clients    = flag.Int("clients", 500, "how many clients talk")
	restarts   = flag.Int("restarts", 3, "how often a server is restarted")
	every      = flag.Duration("every", 10*time.Second, "the time from one restart to the next")
	pause      = flag.Duration("pause", 10*time.Second, "the time from one message of a client to its next")
	goroutines = flag.Bool("goroutines", false, "the servers have a goroutine for each connection, and no loop")
)

// patience bounds steps that hang only if something is wrong.
const patience = 60 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// Two servers take turns in being restarted while clients talk.
func TestRestarts(t *testing.T) {
	redis := brokertest.Redis(t)
	ports := []string{freePort(t), freePort(t)}
	var servers [2]*process
	launch := func(i int) {
		servers[i] = start(t, configuration{Redis: redis.Addr(), Port: ports[i], Goroutines: *goroutines})
	}
	launch(0)
	launch(1)
	c := gather(t, frontOf(t, ports), *clients)
	c.talk(*pause)
	time.Sleep(*every / 2)
	began := time.Now()
	for i := range *restarts {
		time.Sleep(time.Until(began.Add(time.Duration(i) * *every)))
		signaled := time.Now()
		bye := servers[i%2].end()
		if bye.Err != "" || bye.Left > 0 || len(bye.Wrong) > 0 {
			t.Errorf("restart %d: %+v", i+1, bye)
		}
		launch(i % 2)
		up := time.Since(signaled)
		until(t, "all clients to be back", func() bool { return c.away() == 0 })
		back := time.Since(signaled)
		dials, joins := c.since(signaled)
		t.Logf("restart %d: %d clients were told and gone within %v; the server was back after %v, and all clients after %v; in 100 ms at most %d dialed and %d were back",
			i+1, bye.Clients, round(bye.Took), round(up), round(back), peak(dials), peak(joins))
	}
	time.Sleep(*pause)
	c.hush()
	c.report(c.judge())
	for _, p := range servers {
		if bye := p.end(); bye.Err != "" || bye.Left > 0 || len(bye.Wrong) > 0 {
			t.Errorf("the end: %+v", bye)
		}
	}
}

// since returns when clients have dialed, and when they were back, after a moment.
func (c *crowd) since(t time.Time) (dials, joins []time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	later := func(all []time.Time) (list []time.Time) {
		for _, at := range all {
			if at.After(t) {
				list = append(list, at)
			}
		}
		return list
	}
	return later(c.dials), later(c.joins)
}

// peak returns how many of the moments lie within 100 ms at most.
func peak(moments []time.Time) (most int) {
	slices.SortFunc(moments, time.Time.Compare)
	first := 0
	for i, at := range moments {
		for at.Sub(moments[first]) >= 100*time.Millisecond {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// report logs what the clients saw, and judges it.
func (c *crowd) report(b balance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t.Logf("messages: %d acknowledged, %d not; %d deliveries, %d of them of messages without an acknowledgement",
		b.acked, b.unacked, b.heard, b.unackedHeard)
	c.t.Logf("clients came back %d times to what they had, and %d times as new ones", c.recovered, c.fresh)
	for _, tally := range []struct {
		what string
		of   map[string]int
	}{{"ended by", c.ends}, {"could not come back yet", c.refused}, {"not acknowledged", c.unsure}} {
		for _, text := range slices.Sorted(maps.Keys(tally.of)) {
			c.t.Logf("%s: %d times %s", tally.what, tally.of[text], text)
			if tally.what == "ended by" && text != told1001 && text != toldPolling && text != toldByPOST {
				c.t.Errorf("clients were not told: %s", text)
			}
		}
	}
	// A client may be faster than its session, which it finds within 0.3 seconds: on a busy
	// machine some are new.
	if c.fresh > c.recovered/10 || c.recovered == 0 || c.ends[told1001] == 0 || c.ends[toldPolling] == 0 || b.acked == 0 {
		c.t.Errorf("%d clients came back, %d to nothing; ends %v; %d acknowledged", c.recovered, c.fresh, c.ends, b.acked)
	}
}

// frontOf starts nginx with the configuration that docs/scaling.md recommends, before two
// nodes, and returns its URL: the node is chosen by the session's id.
func frontOf(t *testing.T, ports []string) string {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("PARLEY_BROKERS") == "required" {
			t.Fatal(err)
		}
		t.Skip("not run: nginx is missing (Debian's package nginx-light)")
	}
	conf, err := os.ReadFile("../../../examples/cluster/balancers/nginx.conf")
	if err != nil {
		t.Fatal(err)
	}
	front := freePort(t)
	text := strings.NewReplacer(
		"server 127.0.0.1:3002 max_fails=0;", "", "^3002", "^none", "worker_connections 10000", "worker_connections 19000",
		"3000", ports[0], "3001", ports[1], "8082", front,
		"8080", freePort(t), "8081", freePort(t), "8083", freePort(t),
	).Replace(string(conf))
	folder := t.TempDir()
	file := filepath.Join(folder, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	// In one process, which may have as many files as the system allows.
	cmd := exec.Command("sh", "-c", `ulimit -n "$(ulimit -H -n)"; exec "$0" "$@"`,
		nginx, "-p", folder, "-e", "stderr", "-c", file, "-g", "daemon off; master_process off;")
	log, err := os.Create(filepath.Join(folder, "said"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("nginx: %s", said[:min(len(said), 4<<10)])
		}
	})
	url := "http://127.0.0.1:" + front
	until(t, "nginx to answer", func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusNotFound // of a node
	})
	return url
}

// freePort returns a port on which nobody listens. It lies below those that the system gives
// to connections by itself, because a server takes it again after a restart.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := fmt.Sprint(22_500 + rand.IntN(10_000))
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); !true(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatal("not yet: ", what)
		}
	}
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }
