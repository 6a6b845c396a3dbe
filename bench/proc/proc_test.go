package proc_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/parleyws/parley/bench/proc"
)

// The test binary is also the process.
func TestMain(m *testing.M) {
	if os.Getenv("PROC_TEST") == "" {
		os.Exit(m.Run())
	}
	proc.Serve("hello", map[string]proc.Handler{
		"double": func(args json.RawMessage) (any, error) {
			var n int
			err := json.Unmarshal(args, &n)
			return 2 * n, err
		},
		"fail": func(json.RawMessage) (any, error) { return nil, errors.New("as asked") },
	})
}

func TestProcess(t *testing.T) {
	t.Setenv("PROC_TEST", "1")
	var hello string
	p, err := proc.Start(&hello, os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if hello != "hello" {
		t.Errorf("it said %q", hello)
	}
	var n int
	if err := p.Call("double", 21, &n); err != nil || n != 42 {
		t.Errorf("double: %d, %v", n, err)
	}
	for command, want := range map[string]string{"fail": "fail: as asked", "what": "what: no such command: what"} {
		if err := p.Call(command, nil, nil); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", command, err, want)
		}
	}
}

func TestStartFails(t *testing.T) {
	var hello string
	if _, err := proc.Start(&hello, "true"); err == nil || !strings.Contains(err.Error(), "said nothing") {
		t.Errorf("got %v", err)
	}
	if _, err := proc.Start(&hello, "/nowhere"); err == nil {
		t.Error("no error")
	}
}
