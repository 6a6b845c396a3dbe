// Package proxies tests Parley's servers as most of them are reached: through nginx, HAProxy, Caddy, or a
// program with httputil.ReverseProxy.
package proxies

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// patience bounds what happens unless something is wrong.
const patience = 30 * time.Second

// idle is after how long the proxies close a connection over which nothing goes, if they do.
const idle = 6 * time.Second

// A proxy passes connections on to a server.
type proxy struct {
	name, debian string
	// file is its configuration, with SERVER, PROXY, HOST and FOLDER where these belong; "" is that of a program in Go.
	file string
	args func(folder, file string) []string
	cuts bool // it closes a connection over which nothing goes
}

var proxies = []proxy{
	{"nginx", "nginx-light", nginxConf, func(folder, file string) []string {
		return []string{"-p", folder, "-e", "stderr", "-c", file}
	}, true},
	{"haproxy", "haproxy", haproxyConf, func(_, file string) []string { return []string{"-db", "-f", file} }, true},
	{"caddy", "caddy", caddyConf, func(_, file string) []string { return []string{"run", "--adapter", "caddyfile", "--config", file} }, false},
	{"httputil.ReverseProxy", "", "", nil, false},
}

// Buffering is on, as it is by default.
const nginxConf = `
daemon off;
master_process off;
pid FOLDER/pid;
events {}
http {
	access_log off;
	client_body_temp_path FOLDER/body;
	proxy_temp_path FOLDER/proxy;
	fastcgi_temp_path FOLDER/fastcgi;
	uwsgi_temp_path FOLDER/uwsgi;
	scgi_temp_path FOLDER/scgi;
	map $http_upgrade $connection_header {
		default "";
		~. upgrade;
	}
	server {
		listen PROXY;
		location / {
			proxy_pass http://SERVER;
			proxy_http_version 1.1;
			proxy_set_header Host $http_host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_header;
			proxy_read_timeout 6s;
			proxy_send_timeout 6s;
		}
	}
}
`

const haproxyConf = `
defaults
	mode http
	timeout connect 2s
	timeout client 6s
	timeout server 6s
	timeout tunnel 6s
listen all
	bind PROXY
	server one SERVER
`

const caddyConf = `
{
	admin off
	auto_https off
}
http://PROXY {
	bind HOST
	reverse_proxy SERVER
}
`

// each runs the test with each proxy before the server, and the URL there.
func each(t *testing.T, server http.Handler, test func(t *testing.T, p proxy, url string)) {
	for _, p := range proxies {
		p.run(t, server, func(t *testing.T, url string) { test(t, p, url) })
	}
}

// run runs the test with the proxy before the server, beside the other tests.
func (p proxy) run(t *testing.T, server http.Handler, test func(t *testing.T, url string)) {
	t.Run(p.name, func(t *testing.T) {
		if testing.Short() {
			t.Skip("waits for proxies; ./check interop runs it")
		}
		t.Parallel()
		web := httptest.NewServer(server)
		t.Cleanup(web.Close)
		test(t, p.start(t, web.Listener.Addr().String()))
	})
}

// start starts the proxy before the server at addr, and returns its URL.
func (p proxy) start(t *testing.T, addr string) string {
	t.Helper()
	if p.file == "" {
		web := httptest.NewServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr}))
		t.Cleanup(web.Close)
		return web.URL
	}
	if testing.Short() {
		t.Skip("starts a program; ./check interop runs it")
	}
	program, err := exec.LookPath(p.name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("missing: %s (Debian's package %s)", p.name, p.debian)
	}
	folder, here := t.TempDir(), freeAddr(t)
	host, _, _ := net.SplitHostPort(here)
	file := filepath.Join(folder, "conf")
	text := strings.NewReplacer("SERVER", addr, "PROXY", here, "HOST", host, "FOLDER", folder).Replace(p.file)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, p.args(folder, file)...)
	cmd.Env = append(os.Environ(), "HOME="+folder)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", p.name, said.String())
		}
	})
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", here)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("http://%s", here)
}

// network is where the proxies of this process listen, each at an address of its own, so that no port that
// is free is taken by somebody else before its proxy is there.
var (
	network = [2]int{1 + rand.IntN(250), 1 + rand.IntN(250)}
	last    atomic.Int64
)

// freeAddr returns an address on which nobody listens, and nobody else will.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", fmt.Sprintf("127.%d.%d.%d:0", network[0], network[1], last.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
