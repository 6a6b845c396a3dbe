package engineio

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
)

// A Relay passes requests on to the node that has their session, so that a load balancer
// may send the requests of one client to any node. Without one all must reach the same
// node. The id of a session names its node:
//
//	relay, err := engineio.NewRelay("a", peers, nil)
//	...
//	Hooks: engineio.Hooks{NewID: relay.NewID, Foreign: relay.Foreign}
//
// A request on the wrong node costs about three times as much as one on the right node, for
// both nodes together (BenchmarkRelay), and takes a round trip between them longer; a
// WebSocket that begins on the wrong node stays on both. A load balancer that reads the name
// in the parameter sid can choose the right node: docs/scaling.md has configurations. Clients
// learn the names of nodes, but not their addresses. The methods may be called from any
// goroutine.
type Relay struct {
	node  string
	peers func(node string) *url.URL
	proxy httputil.ReverseProxy
}

// relayed is the header field that marks a request which a Relay has passed on: it is
// passed on once. Its value is the name of the node that has done so.
const relayed = "Parley-Relayed"

// maxNodeName is the length of the longest name of a node, in bytes.
const maxNodeName = 32

// NewRelay makes a Relay for the node with a name: up to 32 letters, digits, - and _,
// which no other node has. peers returns the URL of another node, scheme and host, nil if
// there is none with that name; the name comes from a client. Requests keep their path and
// the field Host. X-Forwarded-For gets the address that they came from; Forwarded and
// X-Forwarded-Host and -Proto stay as a load balancer has set them, and otherwise the last
// two are set. They travel by transport, nil for http.DefaultTransport; one that the other
// node does not answer is answered 502, and the client connects anew.
func NewRelay(node string, peers func(node string) *url.URL, transport http.RoundTripper) (*Relay, error) {
	if !isNodeName(node) {
		return nil, wrongIn("NewRelay", "node", node, "it must be 1 to 32 letters, digits, - and _")
	}
	if peers == nil {
		return nil, errors.New("engine.io: NewRelay: nil peers")
	}
	r := &Relay{node: node, peers: peers}
	r.proxy.Transport = transport
	r.proxy.Rewrite = r.rewrite
	r.proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) {
		w.WriteHeader(http.StatusBadGateway)
	}
	return r, nil
}

func isNodeName(name string) bool {
	return len(name) > 0 && len(name) <= maxNodeName && strings.Trim(name, nodeNameBytes) == ""
}

const nodeNameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// NewID is for Hooks: the node's name, a dot, and 20 bytes from crypto/rand in base64.
func (r *Relay) NewID(*http.Request) (string, error) {
	var b [idSize]byte
	rand.Read(b[:])
	return r.node + "." + base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// Foreign is for Hooks.
func (r *Relay) Foreign(req *http.Request, sid string) http.Handler {
	node, _, named := strings.Cut(sid, ".")
	if !named || node == r.node || !isNodeName(node) || req.Header.Get(relayed) != "" || r.peers(node) == nil {
		return nil
	}
	return &r.proxy
}

// rewrite prepares the request to the other node. The same page must be allowed there, so
// Host stays.
func (r *Relay) rewrite(p *httputil.ProxyRequest) {
	node, _, _ := strings.Cut(p.In.URL.Query().Get("sid"), ".")
	if to := r.peers(node); to != nil {
		p.SetURL(to)
	}
	p.Out.Host = p.In.Host
	p.Out.Header["X-Forwarded-For"] = p.In.Header["X-Forwarded-For"]
	p.SetXForwarded()
	for _, field := range [...]string{"Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := p.In.Header[field]; values != nil {
			p.Out.Header[field] = values
		}
	}
	p.Out.Header.Set(relayed, r.node)
}
