package engineio

// ahead is how many sessions SendAll looks at before it sends to them.
const ahead = 16

// SendAll is Send for each of many sessions. What becomes of a message is not
// told: sessions that have ended are passed over.
//
// In a large broadcast the memory of each session has left the processor's
// caches since the one before. A system call for each session keeps the
// processor from fetching that of the next ones meanwhile, so SendAll looks at
// some of them first, all at once.
func SendAll(list []*Session, ms ...*Message) {
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
