// Package network is tests over networks as they are: with delay, loss and reordering, with
// small packets, with outages, and with a NAT that forgets. Each test has two network
// namespaces of the Linux kernel, and a link between them that carries IP packets from one to
// the other in the way that the test says; TCP on both sides is the kernel's. The tests hold
// the times that the documentation promises against what happens.
//
//	go -C proof/network test -v .    # as root; about two and a half minutes
//
// docs/networks.md has the results. The tests are skipped by -short, on other systems, and
// where namespaces can't be made; with CI set the latter fails if the user is root.
package network
