package embedded

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsadapter "github.com/parleyws/parley/adapters/nats"
)

// Options configure a Cluster. nil is for a node that has no others. Start keeps a copy.
type Options struct {
	// Listen is the host:port where other nodes connect. Port 0 is one that is free,
	// which Cluster.Addr tells. Default "127.0.0.1:0".
	Listen string
	// Advertise is the host:port where other nodes reach this one, if that is not
	// Listen: in a container, for instance. They tell it each other.
	Advertise string
	// Peers are where other nodes listen, each as host:port. This node may be among
	// them, as Listen or Advertise has it, so that all nodes can have the same list. A
	// node need not list all: they tell each other whom they know. But only those that
	// are listed are dialed until they answer.
	Peers []string
	// Secret is what all nodes have in common, and nobody else. It is needed unless
	// Listen is on the loopback interface. It travels as it is: without TLS the
	// network between the nodes must be trusted.
	Secret string
	// TLS is for the connections between nodes. It has a certificate, and RootCAs and
	// ClientCAs that know those of the others; ClientAuth is up to you. nil is without
	// TLS.
	TLS *tls.Config
	// Dir is where this node keeps the files of JetStream. It is needed for
	// natsadapter.JetStream.File, and must be the same when the node starts again. Default
	// a temporary directory, which Close removes.
	Dir string
	// Adapter has the options that don't depend on where the server runs. Its Logger
	// also records which nodes come and go.
	//
	// With Adapter.JetStream those nodes keep events and sessions that are among their own
	// Peers, and those in Peers must be the same for all of them. They agree by majority:
	// of three, one may be away, and none of two. A node that is not among its Peers has a
	// share in what the others keep, and may come and go as it likes. See the package's
	// documentation.
	Adapter natsadapter.Options
}

// Errors of Options.
var (
	errPeers  = errors.New("embedded: with JetStream at least two nodes must be in Options.Peers")
	errDir    = errors.New("embedded: Options.Dir is empty, and JetStream.File is set")
	errSecret = errors.New("embedded: Options.Secret is empty, and Listen is not on the loopback interface")
)

// user is by which name nodes know each other, with Options.Secret.
const user = "parley"

const (
	maxPayload = 8 << 20         // of a message, in bytes
	pingTime   = 2 * time.Second // a node that answers none of two pings on its connection is given up
)

// server returns the options of the server.
func (o *Options) server() (*server.Options, error) {
	host, port, err := splitAddress(o.Listen)
	if err != nil {
		return nil, err
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	if ip := net.ParseIP(host); o.Secret == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errSecret
	}
	s := &server.Options{
		// A server that does not listen to clients has no connections to other
		// servers either. So it does, on the loopback interface, and lets nobody in.
		Host: "127.0.0.1", Port: server.RANDOM_PORT, Username: user, Password: rand.Text(),
		NoSigs: true, NoSystemAccount: true, MaxPayload: maxPayload,
		Cluster: server.ClusterOpts{
			Name: "parley", Host: host, Port: port, Advertise: o.Advertise,
			Username: user, Password: o.secret(), AuthTimeout: 5,
			// The rooms of all namespaces are in one account, which uses one
			// connection. That keeps the order of a node's messages too.
			PoolSize:     -1,
			PingInterval: pingTime, MaxPingsOut: 2,
		},
	}
	if o.TLS != nil {
		s.Cluster.TLSConfig, s.Cluster.TLSTimeout = o.TLS.Clone(), 5
	}
	if o.Advertise != "" {
		if _, _, err := splitAddress(o.Advertise); err != nil {
			return nil, err
		}
	}
	for _, peer := range o.others() {
		if _, _, err := splitAddress(peer); err != nil {
			return nil, err
		}
		s.Routes = append(s.Routes, o.route(peer))
	}
	return s, o.jetStream(s)
}

// route returns how a node is dialed.
func (o *Options) route(peer string) *url.URL {
	return &url.URL{Scheme: "nats", Host: peer, User: url.UserPassword(user, o.secret())}
}

// jetStream makes the server one that knows of JetStream, and that has it if it is one of
// the peers.
func (o *Options) jetStream(s *server.Options) error {
	js := o.Adapter.JetStream
	if js == nil {
		return nil
	}
	s.NoSystemAccount = false // the servers agree by it
	self := o.self()
	switch {
	case len(o.others()) == 0 || self == "" && len(o.others()) < 2:
		return errPeers
	case self == "":
		return nil
	case js.File && o.Dir == "":
		return errDir
	}
	// A server that comes back is known by its name. How many there are is seen from the
	// routes, one of which leads to itself.
	s.ServerName = self
	s.Routes = append(s.Routes, o.route(self))
	s.JetStream, s.StoreDir = true, o.Dir
	s.StreamMaxBufferedMsgs = streamQueue
	return nil
}

// streamQueue is how many messages a stream takes before it has stored them. Each node
// sends some 1,000 at once.
const streamQueue = 1_000_000

// self returns by which address this node is among its peers, "" if it isn't.
func (o *Options) self() string {
	for _, peer := range o.Peers {
		if peer == o.Listen || peer == o.Advertise {
			return peer
		}
	}
	return ""
}

// secret returns what nodes are let in with.
func (o *Options) secret() string {
	if o.Secret == "" {
		return "loopback"
	}
	return o.Secret
}

// others returns Peers without this node.
func (o *Options) others() (list []string) {
	for _, peer := range o.Peers {
		if peer != o.Listen && peer != o.Advertise && !slices.Contains(list, peer) {
			list = append(list, peer)
		}
	}
	return list
}

func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("embedded: %w", err)
	}
	if port, err = strconv.Atoi(text); err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("embedded: address %s: port out of range", address)
	}
	return host, port, nil
}

// resolve returns a copy of o with every default filled in. A nil o is all defaults.
func (o *Options) resolve() Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Adapter.Logger == nil {
		c.Adapter.Logger = slog.Default()
	}
	return c
}
