package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parleyws/parley/socketio"
)

// nginxConf is that of a load balancer that keeps a client on one server by a cookie. It
// wants a folder, and the addresses of two servers.
const nginxConf = `
daemon off;
master_process off;
pid %[1]s/pid;
error_log %[1]s/error.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	upstream servers {
		server %[2]s;
		server %[3]s;
	}
	map $cookie_route $target {
		default servers;
		~^(?<address>127\.0\.0\.1:\d+)$ $address;
	}
	map $http_upgrade $connection_header {
		default "";
		~. upgrade;
	}
	server {
		listen unix:%[1]s/socket;
		location / {
			proxy_pass http://$target;
			proxy_http_version 1.1;
			proxy_set_header Host $host;
			proxy_set_header Upgrade $http_upgrade;
			proxy_set_header Connection $connection_header;
			proxy_buffering off;
			add_header Set-Cookie "route=$upstream_addr; Path=/" always;
		}
	}
}
`

// TestNginx: behind nginx, which spreads clients over two servers, the cookie of the
// first response keeps each on one, whatever the transport.
func TestNginx(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers in other languages; ./check interop runs it")
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("missing: nginx (Debian's package nginx-light)")
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			folder, err := os.MkdirTemp("", "nginx") // t.TempDir() may be too long for a socket
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(folder)
			conf := filepath.Join(folder, "conf")
			text := fmt.Sprintf(nginxConf, folder, start(t, k).addr, start(t, k).addr)
			if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(nginx, "-p", folder, "-c", conf)
			var said strings.Builder
			cmd.Stderr = &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				cmd.Process.Kill()
				cmd.Wait()
				if t.Failed() {
					log, _ := os.ReadFile(filepath.Join(folder, "error.log"))
					t.Logf("nginx: %s%s", said.String(), log)
				}
			}()
			way := &server{t: t}
			way.http = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(folder, "socket"))
			}}}
			eventually(t, "nginx listens", func() bool {
				c, err := net.Dial("unix", filepath.Join(folder, "socket"))
				if err == nil {
					c.Close()
				}
				return err == nil
			})
			routes := map[string]int{}
			for i := range 4 {
				for mode := range modes {
					jar, _ := cookiejar.New(nil)
					o := way.options(mode, socketio.DialOptions{})
					o.Engine.HTTPClient = &http.Client{Transport: way.http.Transport, Jar: jar}
					c := way.connect(t, "", o)
					eventually(t, "the transport", func() bool { return c.Transport() == strings.Replace(mode, "upgrade", "websocket", 1) })
					data := make([]byte, 100_000)
					if got := call[[]byte](t, c, "echo-ack", data); len(got) != len(data) {
						t.Errorf("%s %d: %d bytes", mode, i, len(got))
					}
					for _, cookie := range jar.Cookies(&url.URL{Scheme: "http", Host: "server"}) {
						routes[cookie.Value]++
					}
				}
			}
			if len(routes) != 2 {
				t.Errorf("the clients were on %v", routes)
			}
			// Without a jar the client has one of its own; without cookies no session is kept.
			for range 4 {
				call[any](t, way.connect(t, "", way.options("polling", socketio.DialOptions{})), "who")
				o := way.options("polling", socketio.DialOptions{Reconnection: socketio.Reconnection{Off: true}})
				o.Engine.HTTPClient = &http.Client{Transport: way.http.Transport, Jar: noCookies{}}
				if _, err := socketio.Dial(t.Context(), "http://server", o); err == nil {
					t.Error("a session whose requests go to both servers")
				}
			}
		})
	}
}

// noCookies is a jar that keeps nothing.
type noCookies struct{}

func (noCookies) SetCookies(*url.URL, []*http.Cookie) {}
func (noCookies) Cookies(*url.URL) []*http.Cookie     { return nil }
