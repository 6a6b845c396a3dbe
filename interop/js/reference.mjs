// The scenario server on Node's own socket.io, to show that the checks judge right. interop/server
// is the same in Go; both say "listening on http://host:port" on standard error and end with SIGTERM.
import http from "node:http";
import { parseArgs } from "node:util";
import { createRequire } from "node:module";
import * as msgpack from "socket.io-msgpack-parser";

const { values: flags } = parseArgs({ options: {
  addr: { type: "string", default: "127.0.0.1:0" },
  recovery: { type: "boolean" },
  "allow-eio3": { type: "boolean" },
  "ping-interval": { type: "string", default: "25000" }, // milliseconds
  "ping-timeout": { type: "string", default: "20000" },
  "max-payload": { type: "string", default: "1000000" }, // bytes
  parser: { type: "string", default: "text" },
  attachments: { type: "string", default: "10" }, // a message may have
  client: { type: "string" }, // ignored: Node serves its own client
  origins: { type: "string" }, // with commas between them
  cookie: { type: "string" },
  transports: { type: "string" }, // with commas between them
  "no-upgrades": { type: "boolean" },
  deflate: { type: "boolean" }, // offers permessage-deflate, for all messages
  middleware: { type: "boolean" }, // runs for recovered sockets too, and keeps what it sees
  version: { type: "string", default: "4.8" }, // of the server: 4.8, or 4.0
} });
const { Server } = await import(flags.version === "4.0" ? "server-4.0" : "socket.io");

// textParser is Node's own, which takes as many attachments from a client.
function textParser(maxAttachments) {
  const { Encoder, Decoder } = createRequire(import.meta.resolve("socket.io"))("socket.io-parser");
  return { Encoder, Decoder: class extends Decoder { constructor() { super({ maxAttachments }); } } };
}

const web = http.createServer((request, response) => response.writeHead(404).end());
const io = new Server(web, {
  ...(flags.parser === "msgpack" && { parser: msgpack }),
  ...(flags.parser === "text" && flags.version !== "4.0" && { parser: textParser(Number(flags.attachments)) }),
  pingInterval: Number(flags["ping-interval"]),
  pingTimeout: Number(flags["ping-timeout"]),
  maxHttpBufferSize: Number(flags["max-payload"]),
  ...(flags.recovery && { connectionStateRecovery: { skipMiddlewares: !flags.middleware } }),
  ...(flags.origins && { cors: { origin: flags.origins.split(","), credentials: true } }),
  ...(flags.cookie && { cookie: { name: flags.cookie } }),
  ...(flags.transports && { transports: flags.transports.split(",") }),
  ...(flags.deflate && { perMessageDeflate: { threshold: 0 } }),
  allowUpgrades: !flags["no-upgrades"],
  allowEIO3: flags["allow-eio3"],
});

const endings = new Map(); // by socket id: a promise of the reason for its end, and its resolve
const stored = new Map(); // by key: the arguments of "store"

function ending(id) {
  if (!endings.has(id)) {
    let resolve;
    const promise = new Promise((set) => { resolve = set; });
    endings.set(id, { promise, resolve });
  }
  return endings.get(id);
}

function serve(socket) {
  const { nsp } = socket;
  const numbers = { count: 0, ordered: true };
  socket.on("disconnect", (reason) => ending(socket.id).resolve(reason));
  socket.emit("hello", { id: socket.id, recovered: socket.recovered });

  // Echoes.
  socket.on("echo", (...args) => socket.emit("echo", ...args));
  socket.on("echo-ack", (...args) => args.pop()(...args));
  socket.on("ask", (ms, event, ...args) => {
    const ack = args.pop();
    socket.timeout(ms).emit(event, ...args, (error, ...answer) => ack(error ? null : answer));
  });
  socket.on("who", (ack) => ack({
    id: socket.id, transport: socket.conn.transport.name, rooms: [...socket.rooms].sort(),
    auth: socket.handshake.auth, query: socket.handshake.query.q ?? "", header: socket.handshake.headers["x-parley"] ?? "",
  }));

  socket.on("later", (ms, event, ...args) => setTimeout(() => socket.emit(event, ...args), ms));
  socket.on("seen", (ack) => ack(socket.data.seen ?? null));

  // Many, in order.
  socket.on("number", (i) => { numbers.ordered &&= i === numbers.count; numbers.count++; });
  socket.on("numbers", (ack) => ack(numbers));
  socket.on("flood", (first, end) => { for (let i = first; i < end; i++) socket.emit("number", i); });
  socket.on("volatile", (n) => {
    for (let i = 0; i < n; i++) socket.volatile.emit("maybe", i);
    socket.emit("volatile-end");
  });
  socket.on("store", (key, i, ack) => {
    stored.set(key, [...stored.get(key) ?? [], i]);
    ack();
  });
  socket.on("stored", (key, ack) => ack(stored.get(key) ?? []));

  // Rooms.
  socket.on("join", (rooms, ack) => { socket.join(rooms); ack(); });
  socket.on("leave", (room, ack) => { socket.leave(room); ack(); });
  socket.on("to", (rooms, except, event, ...args) => socket.to(rooms).except(except).emit(event, ...args));
  socket.on("in", (rooms, except, event, ...args) => nsp.in(rooms).except(except).emit(event, ...args));
  socket.on("ask-room", (room, ms, event, ...args) => {
    const ack = args.pop();
    nsp.in(room).timeout(ms).emit(event, ...args, (error, answers) => ack(!error, answers));
  });
  socket.on("in-namespace", (name, event, ...args) => io.of(name).emit(event, ...args));
  socket.on("sockets", async (room, ack) => ack((await nsp.in(room).fetchSockets()).map(({ id }) => id).sort()));

  // Ends.
  socket.on("disconnect-room", (room, connection) => nsp.in(room).disconnectSockets(connection));
  socket.on("disconnect-me", (connection) => socket.disconnect(connection));
  socket.on("close-connection", () => socket.conn.close());
  socket.on("ended", async (id, ack) => ack(await ending(id).promise));
}

if (flags.middleware) {
  io.use((socket, next) => {
    socket.data.seen = { recovered: socket.recovered, rooms: [...socket.rooms].filter((room) => room !== socket.id).sort() };
    next();
  });
}
io.on("connection", serve);
io.of("/custom").on("connection", serve);
io.of(/^\/dynamic-\d+$/).on("connection", serve);
io.of("/refused").use((socket, next) => {
  next(Object.assign(new Error("not you"), { data: { code: 42, why: { list: ["ž", null] } } }));
});
io.of("/members").use((socket, next) => {
  next(socket.handshake.auth.token === "secret" ? undefined : new Error("members only"));
}).on("connection", serve);
io.of("/closed").use((socket, next) => {
  next(Object.assign(new Error("closed"), { data: { token: socket.handshake.auth.token ?? null } }));
});

io.of("/early").use((socket, next) => {
  socket.emit("early", "before the consent");
  next(socket.handshake.auth.token === "wrong" ? new Error("too early") : undefined);
}).on("connection", serve);

io.of("/late").use((socket, next) => setTimeout(next, 200)).on("connection", serve);

const [host, port] = flags.addr.split(":");
web.listen(Number(port), host, () => console.error(`listening on http://${host}:${web.address().port}`));
process.on("SIGTERM", () => {
  io.close(() => process.exit(0));
  setTimeout(() => process.exit(0), 2000); // for clients that do not close their side
});
