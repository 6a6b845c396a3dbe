package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// build builds the programs that are measured.
func (r *report) build() error {
	if _, err := os.Stat("servers"); err != nil {
		return fmt.Errorf("run it in the directory bench: %w", err)
	}
	for _, args := range [][]string{
		{"build", "-o", r.dir + "/", "./load", "./servers/..."},
		// A module of its own: clients of brokers are no business of the other programs.
		{"build", "-C", "servers/cluster", "-o", r.dir + "/", ".", "github.com/nats-io/nats-server/v2"},
		{"test", "-c", "-o", r.path("bench.test"), "."},
		{"-C", "..", "test", "-c", "-o", r.path("text.test"), "./conn/internal/text"},
	} {
		if err := show(exec.Command("go", args...)); err != nil {
			return err
		}
	}
	return r.installNode()
}

// installNode installs the packages of the servers on Node. Without Node, the
// report says so in their rows.
func (r *report) installNode() error {
	if _, err := exec.LookPath("node"); err != nil {
		r.absent["node"] = "there is no Node.js on this machine"
		return nil
	}
	if want, err := os.Stat("servers/node/package-lock.json"); err != nil {
		return err
	} else if is, err := os.Stat("servers/node/node_modules/.package-lock.json"); err == nil && !is.ModTime().Before(want.ModTime()) {
		return nil
	}
	if _, err := exec.LookPath("npm"); err != nil {
		r.absent["node"] = "there is no npm on this machine"
		return nil
	}
	return show(exec.Command("npm", "--prefix", "servers/node", "ci", "--no-audit", "--no-fund"))
}

func (r *report) path(name string) string { return filepath.Join(r.dir, name) }

// show runs a command, and shows its output only if it fails.
func show(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%v: %w\n%s", cmd.Args, err, out)
	}
	return nil
}
