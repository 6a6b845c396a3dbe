// Holds clients of Socket.IO, for their memory.
import { io } from 'socket.io-client'
import { obey } from './harness.mjs'

const held = []

function connect(address) {
  return new Promise((resolve, reject) => {
    const socket = io(`http://${address}`, { forceNew: true, transports: ['websocket'] })
    held.push(socket)
    socket.on('connect', resolve)
    socket.on('connect_error', reject)
  })
}

// As many are connecting at the same time as in package load.
const dialers = 32

obey('ready', {
  clients: async ({ Address, Conns }) => {
    let left = Conns
    await Promise.all(Array.from({ length: dialers }, async () => {
      while (left-- > 0) await connect(Address)
    }))
    return null
  },
})
