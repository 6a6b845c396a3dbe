package main

import (
	"encoding/json"
	"time"

	"github.com/parleyws/parley/socketio"
)

// text goes with each number.
const text = "hello, this is a message"

// window is how many events the broker may still have to take when the next one is emitted.
const window = 1000

// pause is how long to wait when the window is full.
const pause = 100 * time.Microsecond

// publish emits so many numbered events to a room, and then the next number to the room
// that ends it.
func publish(io *socketio.Server, b broker, args json.RawMessage) (any, error) {
	var work struct {
		Room, End    string
		First, Count int
	}
	if err := json.Unmarshal(args, &work); err != nil {
		return nil, err
	}
	before := b.published()
	for i := range work.Count {
		if i%(window/2) == 0 {
			for int64(i)-(b.published()-before) > window/2 {
				time.Sleep(pause)
			}
		}
		if err := io.To(work.Room).Emit("message", text, work.First+i); err != nil {
			return nil, err
		}
	}
	return nil, io.To(work.End).Emit("message", text, work.First+work.Count)
}
