package suite_test

import (
	"flag"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/parleyws/parley/autobahn/suite"
	"github.com/parleyws/parley/internal/leakcheck"
	"github.com/parleyws/parley/internal/pipe"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *inLoop {
		pipe.Loop()
	}
	debug.SetGCPercent(400) // the cases make much garbage; this saves a quarter of the time
	leakcheck.Main(m)
}

// play plays c against the simple endpoint with a fault, in a bubble.
func play(t *testing.T, c suite.Case, client bool, f fault, o suite.Options) (v suite.Verdict) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Turn = synctest.Wait
		a, b := pipe.New()
		go simple(b, client, f)
		if client {
			v = suite.RunClient(a, c, &o)
		} else {
			v = suite.RunServer(a, c, &o)
		}
	})
	return v
}

// The simple endpoint without a fault passes every case, in both modes.
func TestEndpoint(t *testing.T) {
	for _, role := range []string{"server", "client"} {
		for _, c := range suite.Cases() {
			t.Run(role+"/"+c.ID, func(t *testing.T) {
				t.Parallel()
				if v := play(t, c, role == "client", none, suite.Options{Messages: 3}); !v.Passed() {
					t.Error(v)
				}
			})
		}
	}
}

func TestCases(t *testing.T) {
	want := map[string]int{"1": 16, "2": 11, "3": 7, "4": 10, "5": 20, "6": 145, "7": 37, "9": 54, "10": 1, "12": 90, "13": 126}
	got := map[string]int{}
	var ids []string
	for _, c := range suite.Cases() {
		section, _, _ := strings.Cut(c.ID, ".")
		got[section]++
		ids = append(ids, c.ID)
		if c.Title == "" {
			t.Errorf("%s has no title", c.ID)
		}
	}
	for section, n := range want {
		if got[section] != n {
			t.Errorf("section %s has %d cases, want %d", section, got[section], n)
		}
	}
	slices.Sort(ids)
	if n := len(slices.Compact(ids)); n != 517 {
		t.Errorf("%d different cases, want 517", n)
	}
}
