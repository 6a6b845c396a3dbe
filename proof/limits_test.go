package proof

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/internal/pipe"
)

var update = flag.Bool("update", false, "write docs/security.md anew")

// A limit is a row of docs/security.md, and of TestLimits, which trips it.
type limit struct {
	what   string // is limited
	value  string // by default
	field  string // of the options; "": it can't be changed
	answer string // that a client gets which trips it
	says   string // what the operator is told, among others; "": that is not looked at, as it is no broken rule
	raw    bool   // it holds where our own parser reads the request; through net/http its rules come first

	in []shell // where the row is tripped; nil: in all shells of its table
	// proof names the test that trips the limit where it is not tripped here: the directory
	// and the name.
	proof string

	holds int64 // so much memory may be held once it has been tripped, by all that is open; 0 is 4 MiB

	trip func(a *arena)
}

// A limitTable is a table of docs/security.md.
type limitTable struct {
	title, text string
	shells      []shell
	limits      []limit
}

// A shell is who has a limit, and how it is served.
type shell string

const (
	onGoroutines shell = "a server on goroutines"
	onLoop       shell = "a server on a loop"
	byDefault    shell = "a server on goroutines and, later, a loop"
	aClient      shell = "a client"
	outside      shell = "a client with its own transport" // over loopback, without a bubble
)

// both are the two ways in which a server serves WebSockets.
var both = []shell{onGoroutines, onLoop}

var limitTables = []limitTable{
	{"The opening handshake", "Rows with (raw) hold for `Server.ServeConns` and `handshake.AcceptConn`, where our own parser reads the request. Through net/http " +
		"its rules come first: set `ReadHeaderTimeout` and `MaxHeaderBytes` of the `http.Server`.", both, handshakeLimits},
	{"A connection", "Both roles, unless a row says so. Status codes are those of the Close frame (RFC 6455, section 7.4).", []shell{onGoroutines, onLoop, aClient}, slices.Concat(connLimits, endLimits)},
	{"Engine.IO and Socket.IO", "What a WebSocket is limited by holds for sessions as well.", both, socketLimits},
	{"The event loop", "What one connection can do to the others of its [loop](event-loop.md). All rows above are tripped with the server on a loop, too.", []shell{onLoop}, loopLimits},
	{"Many servers", "The adapters. These rows are tripped, with real brokers, by tests of the adapters' modules, which also compare the defaults with this page.", nil, adapterLimits},
	{"A client", "What its servers can do to it. A row of the table above on connections holds as well.", []shell{aClient}, clientLimits},
}

// Each limit is tripped: the peer gets the answer, the operator is told, memory is held within
// bounds, another client is served, and nothing is left: a bubble ends only when all of its
// goroutines have.
func TestLimits(t *testing.T) {
	for _, table := range limitTables {
		for _, l := range table.limits {
			shells := table.shells
			if l.in != nil {
				shells = l.in
			}
			for _, shell := range shells {
				if l.proof != "" {
					continue
				}
				t.Run(table.title+"/"+l.what+"/"+string(shell), func(t *testing.T) {
					if shell == outside {
						l.tripped(&arena{T: t, shell: shell})
						return
					}
					synctest.Test(t, func(t *testing.T) {
						l.tripped(&arena{T: t, shell: shell, l: pipe.Listen(), release: make(chan struct{})})
					})
				})
			}
		}
	}
}

// tripped trips the limit in an arena.
func (l *limit) tripped(a *arena) {
	defer a.end()
	before := held()
	l.trip(a)
	a.settle()
	if used, most := held()-before, cmp.Or(l.holds, 4<<20); used > most {
		a.Errorf("%d bytes are held, want %d at most", used, most)
	}
	a.wantServed()
	if told := a.wasTold(); !strings.Contains(told, l.says) {
		a.Errorf("the operator was told %q, want something about %q", told, l.says)
	}
}

// Where a row is tripped elsewhere, that test is there.
func TestLimitsElsewhere(t *testing.T) {
	for _, table := range limitTables {
		for _, l := range table.limits {
			if l.proof != "" {
				wantTest(t, l.proof)
			} else if l.trip == nil {
				t.Errorf("%s: nothing trips it", l.what)
			}
		}
	}
}

// wantTest says that there is a test, given as its directory and its name.
func wantTest(t *testing.T, proof string) {
	t.Helper()
	dir, name, ok := strings.Cut(proof, " ")
	files, _ := filepath.Glob(filepath.Join("..", dir, "*_test.go"))
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil && ok && bytes.Contains(text, []byte("\nfunc "+name+"(t *testing.T) {")) {
			return
		}
	}
	t.Errorf("there is no test %q", proof)
}

// held returns how much memory is held.
func held() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // pools let go of what nobody has used since the last one
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// docs/security.md has the limits that are tripped, and no others.
func TestSecurityPage(t *testing.T) {
	const page = "../docs/security.md"
	var b bytes.Buffer
	b.WriteString(securityHead)
	for _, table := range limitTables {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| what is limited | default | option | who trips it gets this |\n|---|---|---|---|\n", table.title, table.text)
		for _, l := range table.limits {
			what, field := l.what, "-"
			if l.raw {
				what += " (raw)"
			}
			if l.field != "" {
				field = "`" + strings.NewReplacer(", ", "`, `", "; ", "`; `").Replace(l.field) + "`"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", what, l.value, field, l.answer)
		}
	}
	if *update {
		if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(page)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what the tables say (%v): go test ./proof -run TestSecurityPage -update writes it", page, err)
	}
}

const securityHead = `# Limits

A server that is made with the zero values of all options is meant for the open internet. These are the limits that hold then. Each is
a field of the options, where zero is the default and a negative value turns it off, unless the table has none. Each row is tripped by
` + "`go test ./proof -run TestLimits`" + `, or by another test that is named there: with the server on goroutines and on a loop, and in both roles where that applies. It
also sees that the operator is told of broken rules, that memory stays within bounds, that other clients are served, and that
nothing is left, neither a connection nor a goroutine. This page is made from the same table.

What the operator is told comes by ` + "`conn.Server.OnRefuse`, `OnError` and `OnEnd`, by `engineio.Hooks.Refused`, and in the logs of `engineio` and `socketio`" + `:
one line for each end that a client has caused, with the limit. Broken rules are logged at the level Info; what belongs to the life of a network, as a
client that has fallen silent, and refused namespaces at Debug. [SECURITY.md](../SECURITY.md) says what is promised, and how to report a fault.
`
