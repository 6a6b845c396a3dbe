package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"
)

// suiteVersion is the version of the suite. It is the tag of the Docker image, and
// the version that install-wstest installs.
const suiteVersion = "25.10.1"

const image = "crossbario/autobahn-testsuite:" + suiteVersion

// stopTime is how long a process may take to end after a signal.
const stopTime = 10 * time.Second

// An engine runs wstest.
type engine interface {
	// command returns the command that runs wstest in the given mode, in dir. dir is
	// an absolute path; it holds the specification and will hold the report. port is
	// the port on which wstest listens, or 0. The process is terminated when ctx
	// ends.
	command(ctx context.Context, mode, dir string, port int) *exec.Cmd
	// host returns the name by which wstest reaches this host.
	host() string
	// cleanUp ends processes that a killed command for dir may leave.
	cleanUp(dir string)
	String() string
}

// findEngine returns the named engine. Without a name it returns the first of docker,
// path and installed that is available. It installs the last if it is missing; the
// output of the installation goes to out.
func findEngine(ctx context.Context, root, name string, out io.Writer) (engine, error) {
	switch name {
	case "docker":
		return findDocker(ctx)
	case "path":
		file, err := exec.LookPath("wstest")
		return localWstest{name, file}, err
	case "installed":
		return installWstest(ctx, root, out)
	case "":
		if e, err := findDocker(ctx); err == nil {
			return e, nil
		}
		if file, err := exec.LookPath("wstest"); err == nil {
			return localWstest{"path", file}, nil
		}
		return installWstest(ctx, root, out)
	}
	return nil, fmt.Errorf("no engine %q: docker, path or installed", name)
}

// installWstest runs autobahn/install-wstest, which does nothing if wstest is already
// installed.
func installWstest(ctx context.Context, root string, out io.Writer) (engine, error) {
	install := command(ctx, filepath.Join(root, "autobahn", "install-wstest"))
	install.Stdout, install.Stderr = out, out
	if err := install.Run(); err != nil {
		return nil, fmt.Errorf("no Docker engine, no wstest on PATH, autobahn/install-wstest: %w", err)
	}
	return localWstest{"installed", filepath.Join(root, ".cache", "wstest", "wstest")}, nil
}

// A localWstest is a wstest that is installed on this machine.
type localWstest struct{ name, file string }

func (l localWstest) command(ctx context.Context, mode, dir string, _ int) *exec.Cmd {
	cmd := command(ctx, l.file, wstestArgs(mode)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PYTHONUNBUFFERED=1")
	return cmd
}

func (localWstest) host() string     { return "127.0.0.1" }
func (localWstest) cleanUp(string)   {}
func (l localWstest) String() string { return l.name }

// A docker runs wstest in a container.
type docker struct {
	containers string // how their names begin
	hostNet    bool   // they share the network of this host
}

// container returns the name of the container for a trial in dir.
func (d docker) container(dir string) string { return d.containers + filepath.Base(dir) }

// newDocker returns the engine for a host with the given GOOS. On Linux a container
// can share the host's network. Elsewhere it runs in a virtual machine: the host has
// a special name there, and ports must be published.
func newDocker(goos string) docker {
	return docker{
		containers: "parley-autobahn-" + strconv.Itoa(os.Getpid()) + "-",
		hostNet:    goos == "linux",
	}
}

// findDocker returns the engine if the Docker daemon answers. That the command exists
// is not enough.
func findDocker(ctx context.Context) (engine, error) {
	ctx, cancel := context.WithTimeout(ctx, stopTime)
	defer cancel()
	if err := command(ctx, "docker", "version", "--format", "{{.Server.Version}}").Run(); err != nil {
		return nil, fmt.Errorf("no Docker engine answers: %w", err)
	}
	return newDocker(runtime.GOOS), nil
}

func (d docker) command(ctx context.Context, mode, dir string, port int) *exec.Cmd {
	args := []string{
		"run", "--rm", "--init", "--name", d.container(dir),
		"--volume", dir + ":/autobahn", "--workdir", "/autobahn",
		"--env", "PYTHONUNBUFFERED=1", "--env", "HOME=/tmp",
	}
	if uid := os.Getuid(); uid >= 0 { // the report must belong to this user
		args = append(args, "--user", fmt.Sprintf("%d:%d", uid, os.Getgid()))
	}
	switch {
	case d.hostNet:
		args = append(args, "--network", "host")
	case port != 0:
		args = append(args, "--publish", fmt.Sprintf("127.0.0.1:%d:%d", port, port))
	}
	args = append(args, image, "wstest")
	return command(ctx, "docker", append(args, wstestArgs(mode)...)...)
}

func (d docker) host() string {
	if d.hostNet {
		return "127.0.0.1"
	}
	return "host.docker.internal"
}

func (d docker) cleanUp(dir string) {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	// The container is nearly always gone, which makes this command fail.
	_ = command(ctx, "docker", "rm", "--force", d.container(dir)).Run()
}

func (docker) String() string { return "docker" }

// wstestArgs returns the arguments of wstest in the folder of its specification. Port
// 0 is for its web pages, which are not used.
func wstestArgs(mode string) []string {
	return []string{"--mode", mode, "--spec", specFile, "--webport", "0"}
}

// command is like exec.CommandContext, but first asks the process to end.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTime
	return cmd
}
