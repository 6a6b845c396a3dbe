// One node of a cluster: a Socket.IO server with an adapter, or an emitter.
//
//   node cluster.mjs --adapter NAME --redis ADDRESS[,ADDRESS...] [--prefix PREFIX] [--recovery]
//
// NAME is a key of adapters below. Several addresses are those of a Redis cluster. With
// --recovery clients may come back. It prints {"port": N} and then answers commands, each a line of
// JSON on standard input, {"id": N, "do": NAME, ...}, by {"id": N, "result": VALUE} or {"id": N,
// "error": TEXT}. In values {"$octets": BASE64}, {"$date": MILLISECONDS}, {"$number": "NaN"} and
// {"$undefined": true} stand for what JSON does not have. It ends with its standard input.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { createAdapter as createStreamsAdapter } from "@socket.io/redis-streams-adapter";
import { Emitter } from "@socket.io/redis-emitter";
import { createClient, createCluster } from "redis";
import { Server } from "socket.io";

const { values: flags } = parseArgs({
  options: { adapter: { type: "string" }, redis: { type: "string" }, prefix: { type: "string", default: "socket.io" }, recovery: { type: "boolean" } },
});

const addresses = flags.redis.split(",").map((address) => ({ url: `redis://${address}` }));
async function connect() {
  const client = addresses.length > 1 ? createCluster({ rootNodes: addresses }) : createClient(addresses[0]);
  client.on("error", (error) => console.error(error));
  await client.connect();
  return client;
}

const key = flags.prefix;
const sharded = (subscriptionMode) => async () =>
  createShardedAdapter(await connect(), await connect(), { channelPrefix: key, subscriptionMode });
const adapters = {
  classic: async () => createAdapter(await connect(), await connect(), { key }),
  "classic-specific": async () => createAdapter(await connect(), await connect(), { key, publishOnSpecificResponseChannel: true }),
  "sharded-static": sharded("static"),
  "sharded-dynamic": sharded("dynamic"),
  "sharded-dynamic-private": sharded("dynamic-private"),
  streams: async () => createStreamsAdapter(await connect(), { streamName: key, channelPrefix: key }),
};

// decode returns the value that JSON stands for.
function decode(v) {
  if (Array.isArray(v)) return v.map(decode);
  if (v === null || typeof v !== "object") return v;
  if ("$octets" in v) return Buffer.from(v.$octets, "base64");
  if ("$date" in v) return new Date(v.$date);
  if ("$number" in v) return Number(v.$number);
  if ("$undefined" in v) return undefined;
  return Object.fromEntries(Object.entries(v).map(([name, value]) => [name, decode(value)]));
}

// encode returns what stands for a value in JSON.
function encode(v) {
  if (Array.isArray(v)) return v.map(encode);
  if (v === null || typeof v !== "object") return v === undefined ? null : v;
  if (ArrayBuffer.isView(v)) return { $octets: Buffer.from(v.buffer, v.byteOffset, v.byteLength).toString("base64") };
  if (v instanceof Date) return v.toJSON();
  return Object.fromEntries(Object.entries(v).map(([name, value]) => [name, encode(value)]));
}

const heard = []; // events of other servers

// serve adds to a namespace what clients and other servers may ask for.
function serve(namespace) {
  namespace.on("connection", (socket) => {
    socket.on("join", (rooms, done) => { socket.join(rooms); done(); });
    socket.on("set", (name, value, done) => { socket.data[name] = value; done(); });
  });
  namespace.on("event", (...args) => {
    const done = typeof args.at(-1) === "function" ? args.pop() : undefined;
    heard.push(args);
    done?.({ of: "node", first: args[0] ?? null });
  });
}

// target returns what a command addresses.
function target(space, { rooms = [], except = [], socket, volatile, uncompressed, local, timeout }) {
  let to = socket ? space.sockets.get(socket) : space;
  if (volatile) to = to.volatile;
  if (uncompressed) to = to.compress(false);
  if (local) to = to.local;
  if (timeout) to = to.timeout(timeout);
  if (rooms.length > 0) to = to.to(rooms);
  if (except.length > 0) to = to.except(except);
  if (socket && to === space.sockets.get(socket)) to = to.broadcast;
  return to;
}

async function node() {
  const http = createServer();
  const io = new Server(http, { adapter: await adapters[flags.adapter](), maxHttpBufferSize: 1e8,
    connectionStateRecovery: flags.recovery ? {} : undefined });
  serve(io);
  serve(io.of("/other"));
  await new Promise((listening) => http.listen(0, "127.0.0.1", listening));
  const space = (c) => io.of(c.namespace ?? "/");
  const commands = {
    emit: (c) => { target(space(c), c).emit(...decode(c.args)); },
    call: async (c) => {
      try {
        return { answers: await target(space(c), c).emitWithAck(...decode(c.args)) };
      } catch (error) {
        return { answers: error.responses ?? [], error: error.message };
      }
    },
    join: (c) => { target(space(c), c).socketsJoin(c.to); },
    leave: (c) => { target(space(c), c).socketsLeave(c.to); },
    disconnect: (c) => { target(space(c), c).disconnectSockets(c.connection); },
    fetch: async (c) => (await target(space(c), c).fetchSockets()).map((s) => ({
      id: s.id, rooms: [...s.rooms], data: s.data, handshake: s.handshake,
    })),
    rooms: async (c) => [...await space(c).adapter.allRooms()],
    nodes: (c) => space(c).adapter.serverCount(),
    serverSideEmit: (c) => { space(c).serverSideEmit(...decode(c.args)); },
    serverSideCall: (c) => space(c).serverSideEmitWithAck(...decode(c.args)),
    heard: () => heard.splice(0),
    close: () => io.close(),
  };
  return { port: http.address().port, commands };
}

async function emitter() {
  const emitter = new Emitter(await connect(), { key });
  const to = (c) => {
    let to = emitter.of(c.namespace ?? "/");
    if (c.volatile) to = to.volatile;
    if (c.uncompressed) to = to.compress(false);
    if (c.rooms?.length > 0) to = to.to(c.rooms);
    if (c.except?.length > 0) to = to.except(c.except);
    return to;
  };
  const commands = {
    emit: (c) => { to(c).emit(...decode(c.args)); },
    join: (c) => { to(c).socketsJoin(c.to); },
    leave: (c) => { to(c).socketsLeave(c.to); },
    disconnect: (c) => { to(c).disconnectSockets(c.connection); },
    serverSideEmit: (c) => { emitter.of(c.namespace ?? "/").serverSideEmit(...decode(c.args)); },
  };
  return { port: 0, commands };
}

const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const { port, commands } = flags.adapter === "emitter" ? await emitter() : await node();
say({ port });
const lines = createInterface(process.stdin);
lines.on("line", async (line) => {
  const command = JSON.parse(line);
  try {
    say({ id: command.id, result: encode(await commands[command.do](command)) ?? null });
  } catch (error) {
    say({ id: command.id, error: error.stack });
  }
});
lines.on("close", () => process.exit());
