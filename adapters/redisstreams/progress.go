package redisstreams

import (
	"context"
	"sync"
)

// A progress is how far a reader has come: all entries up to a position have been handed
// over, and delivered here.
type progress struct {
	mu   sync.Mutex
	at   string        // "": not known yet
	next chan struct{} // closed when at changes; nil: nobody waits
}

func (p *progress) set(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = id
	if p.next != nil {
		close(p.next)
		p.next = nil
	}
}

func (p *progress) position() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.at
}

// reach waits until an entry has been handed over.
func (p *progress) reach(ctx context.Context, id string) error {
	for {
		p.mu.Lock()
		if p.at != "" && !less(p.at, id) {
			p.mu.Unlock()
			return nil
		}
		if p.next == nil {
			p.next = make(chan struct{})
		}
		next := p.next
		p.mu.Unlock()
		select {
		case <-next:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
