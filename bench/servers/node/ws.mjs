// Sends every message back, with ws and its native helper.
import { WebSocketServer } from 'ws'
import { serve } from './harness.mjs'

serve((server) => {
  const sockets = new WebSocketServer({ server, skipUTF8Validation: false })
  sockets.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }))
    socket.on('error', () => {})
  })
})
