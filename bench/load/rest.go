package main

import (
	"syscall"
	"time"
)

// rest lets the connections be for a while. Nothing but Engine.IO's pings is
// answered.
func (g *generator) rest(d time.Duration) error {
	events := make([]syscall.EpollEvent, 256)
	for end := time.Now().Add(d); time.Now().Before(end); {
		err := g.wait(events, func(p *peer, _ time.Time) error {
			if _, err := g.receive(p); err != nil {
				return err
			}
			return p.flush(frames{}) // nothing is owed
		})
		if err != nil {
			return err
		}
	}
	return nil
}
