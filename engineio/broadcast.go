package engineio

// ahead is how many sessions SendAll looks at before it sends to them.
const ahead = 16

// SendAll calls Send for each of many sessions. Like Send it never waits, and
// calls neither receivers nor hooks nor the logger. It passes over sessions that
// have ended; whether a message was sent is not reported.
func SendAll(list []*Session, ms ...*Message) {
	// During a large broadcast the memory of each session has left the
	// processor's caches since the last one. The system call for a session keeps
	// the processor from fetching the memory of the next one meanwhile. So look
	// at several sessions at once before sending to them.
	for len(list) > 0 {
		some := list[:min(ahead, len(list))]
		list = list[len(some):]
		for _, s := range some {
			if c := s.ws.Load(); c != nil {
				c.Unsent()
			}
		}
		for _, s := range some {
			_ = s.Send(ms...)
		}
	}
}
