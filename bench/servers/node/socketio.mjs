// The report's work with socket.io on Node, with ws and its native helper. The
// first request is let go of, as its documentation says for little memory.
import { Server } from 'socket.io'
import { serve } from './harness.mjs'

serve((server) => {
  const io = new Server(server, { serveClient: false })
  io.engine.on('connection', (socket) => {
    socket.request = null
  })
  io.on('connection', (socket) => {
    socket.on('echo', (text) => socket.emit('echo', text))
    socket.on('ask', (text, answer) => answer(text))
    socket.on('join', (room) => {
      socket.join(room)
      socket.emit('joined')
    })
    socket.on('room', (room, text) => io.to(room).emit('room', text))
  })
})
