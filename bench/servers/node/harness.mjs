// What the Node servers have in common: where they listen, and the commands of
// package proc.
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

const say = (value) => process.stdout.write(JSON.stringify({ value }) + '\n')

const commands = {
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return (user + system) * 1000
  },
  memory: () => {
    global.gc()
    global.gc()
    return process.memoryUsage.rss()
  },
}

// obey says hello and then answers commands, those above and others.
export function obey(hello, others = {}) {
  const all = { ...commands, ...others }
  say(hello)
  const lines = createInterface({ input: process.stdin })
  lines.on('line', async (line) => {
    const { name, args } = JSON.parse(line)
    say(await all[name](args))
  })
  lines.on('close', () => process.exit())
}

// serve listens, calls attach with the HTTP server, and answers commands.
export function serve(attach, others) {
  const server = createServer()
  attach(server)
  server.listen(0, '127.0.0.1', 4096, () => {
    obey(`127.0.0.1:${server.address().port}`, others)
  })
}
