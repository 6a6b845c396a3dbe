package network

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// A namespace is a network namespace with a TUN device, the only way out. It is gone when its
// files and sockets are closed.
type namespace struct {
	file   *os.File
	device *os.File
}

const (
	clientAddress = "10.77.0.1"
	serverAddress = "10.77.0.2"
)

// newNamespace makes a namespace whose device has an address and an MTU.
func newNamespace(address string, mtu int) (*namespace, error) {
	n := new(namespace)
	err := onThread(func() (err error) {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("unshare: %w", err)
		}
		if n.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		if n.device, err = openTUN("tun0"); err != nil {
			return err
		}
		for _, args := range [][]string{
			{"link", "set", "lo", "up"},
			{"address", "add", address + "/24", "dev", "tun0"},
			{"link", "set", "tun0", "mtu", fmt.Sprint(mtu), "txqueuelen", "10000", "up"},
		} {
			if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
				return fmt.Errorf("ip %q: %w: %s", args, err, out)
			}
		}
		return nil
	})
	return n, err
}

// openTUN makes a TUN device in the thread's namespace.
func openTUN(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("/dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("TUNSETIFF: %w", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

// onThread runs f on a thread of its own, which ends with it.
func onThread(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread is not used again
		result <- f()
	}()
	return <-result
}

// within runs f in the namespace: sockets that it opens belong there, wherever they are used.
func (n *namespace) within(f func() error) error {
	return onThread(func() error {
		if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("setns: %w", err)
		}
		return f()
	})
}

// dial is a DialContext for clients in the namespace.
func (n *namespace) dial(ctx context.Context, network, address string) (c net.Conn, err error) {
	err = n.within(func() (err error) {
		c, err = new(net.Dialer).DialContext(ctx, network, address)
		return err
	})
	return c, err
}

// A world is a client's network and a server's, with a link between.
type world struct {
	*link
	client, server *namespace
	listener       net.Listener
}

// newWorld makes a world. It skips the test where that is not possible.
func newWorld(t *testing.T, mtu int, c conditions) *world {
	t.Helper()
	w := new(world)
	err := w.make(mtu, c)
	switch {
	case err == nil:
	case os.Getenv("CI") != "" && os.Getuid() == 0:
		t.Fatal(err)
	default:
		t.Skip("not run: it needs root, the command ip and /dev/net/tun: ", err)
	}
	t.Cleanup(func() {
		w.listener.Close()
		w.close()
		w.client.file.Close()
		w.server.file.Close()
	})
	return w
}

func (w *world) make(mtu int, c conditions) (err error) {
	if w.client, err = newNamespace(clientAddress, mtu); err != nil {
		return err
	}
	if w.server, err = newNamespace(serverAddress, mtu); err != nil {
		return err
	}
	w.link = newLink(w.client.device, w.server.device, 15, c)
	return w.server.within(func() (err error) {
		w.listener, err = net.Listen("tcp4", serverAddress+":80")
		return err
	})
}
