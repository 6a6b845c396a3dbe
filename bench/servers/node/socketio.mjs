// The report's work with socket.io on Node.
import { Server } from 'socket.io'
import { serve } from './harness.mjs'

serve((server) => {
  const io = new Server(server, { serveClient: false })
  io.on('connection', (socket) => {
    socket.on('echo', (text) => socket.emit('echo', text))
    socket.on('join', (room) => {
      socket.join(room)
      socket.emit('joined')
    })
    socket.on('room', (room, text) => io.to(room).emit('room', text))
  })
})
