// A node of the report's work for many nodes, with an adapter of socket.io:
//
//   node cluster.mjs -adapter NAME -broker ADDRESS
//
// The packages are used as their documentation shows them, with redis rather than ioredis.
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter'
import { createClient } from 'redis'
import { Server } from 'socket.io'
import { serve } from './harness.mjs'

const [name, address] = [process.argv.indexOf('-adapter'), process.argv.indexOf('-broker')].map((i) => process.argv[i + 1])

async function connect() {
  const client = createClient({ url: `redis://${address}` })
  client.on('error', (error) => console.error(error))
  return client.connect()
}

const client = await connect()
// As many events as a node may be late, as with ours.
const streamLength = 200_000
const adapters = {
  classic: async () => createAdapter(client, await connect()),
  sharded: async () => createShardedAdapter(client, await connect()),
  streams: async () => createStreamsAdapter(client, { maxLen: streamLength }),
}
const adapter = await adapters[name]()
let io

const text = 'hello, this is a message'
const half = 500 // of the events that Redis may still have to take when the next one is emitted

// publish emits numbered events to a room, and then the next number to the room that ends it.
async function publish({ Room, End, First, Count }) {
  let taken = null
  for (let i = 0; i < Count; i++) {
    if (i > 0 && i % half === 0) {
      await taken
      taken = client.ping()
    }
    io.to(Room).emit('message', text, First + i)
  }
  io.to(End).emit('message', text, First + Count)
  await client.ping()
  return null
}

serve((server) => {
  io = new Server(server, { serveClient: false, adapter })
  io.engine.on('connection', (socket) => {
    socket.request = null
  })
  io.on('connection', (socket) => {
    socket.on('join', (rooms) => {
      socket.join(rooms)
      socket.emit('joined')
    })
  })
}, { publish })
