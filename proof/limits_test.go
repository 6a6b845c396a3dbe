package proof

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"os"
	"runtime"
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

	holds int64 // so much memory may be held once it has been tripped, by all that is open; 0 is 4 MiB

	trip func(a *arena)
}

// A limitTable is a table of docs/security.md.
type limitTable struct {
	title, text string
	limits      []limit
}

var limitTables = []limitTable{
	{"The opening handshake", "Rows with (raw) hold for `Server.ServeConns` and `handshake.AcceptConn`, where our own parser reads the request. Through net/http " +
		"its rules come first: set `ReadHeaderTimeout` and `MaxHeaderBytes` of the `http.Server`.", handshakeLimits},
	{"A connection", "Both roles, unless a row says so. Status codes are those of the Close frame (RFC 6455, section 7.4).", connLimits},
	{"Engine.IO and Socket.IO", "What a WebSocket is limited by holds for sessions as well.", socketLimits},
}

// Each limit is tripped: the client gets the answer, the operator is told, memory is held within
// bounds, another client is served, and nothing is left.
func TestLimits(t *testing.T) {
	for _, table := range limitTables {
		for _, l := range table.limits {
			t.Run(table.title+"/"+l.what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					a := &arena{T: t, l: pipe.Listen()}
					defer a.end()
					before := held()
					l.trip(a)
					synctest.Wait()
					if used, most := held()-before, cmp.Or(l.holds, 4<<20); used > most {
						t.Errorf("%d bytes are held, want %d at most", used, most)
					}
					a.wantServed()
					if told := a.wasTold(); !strings.Contains(told, l.says) {
						t.Errorf("the operator was told %q, want something about %q", told, l.says)
					}
				})
			})
		}
	}
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
` + "`go test ./proof -run TestLimits`" + `, which also sees that the operator is told of broken rules, that memory stays within bounds, that other clients are served, and that
nothing is left. Limits of clients, of the event loop and of the adapters are in the documentation of their options. This page is made from the same table.

What the operator is told comes by ` + "`conn.Server.OnRefuse`, `OnError` and the error of `Each`, and in the logs of `engineio` and `socketio`" + `:
one line for each end that a client has caused, with the limit. [SECURITY.md](../SECURITY.md) says what is promised, and how to report a fault.
`
