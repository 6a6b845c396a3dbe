// The JavaScript client, in all versions, modes and with all parsers that are checked.
import { createRequire } from "node:module";
import v25 from "client-2.5";
import * as msgpack from "socket.io-msgpack-parser";
import * as v40 from "client-4.0";
import * as v45 from "client-4.5";
import * as v48 from "client-4.8";

export const versions = { "2.5.0": v25, "4.0.2": v40.io, "4.5.4": v45.io, "4.8.4": v48.io };
export const modes = { default: undefined, websocket: ["websocket"], polling: ["polling"] };

// textParser returns the text parser of a client, which takes as many attachments from a server.
export function textParser(version, maxAttachments) {
  const client = import.meta.resolve(`client-${version.slice(0, 3)}`);
  const { Encoder, Decoder } = createRequire(client)("socket.io-parser");
  return { Encoder, Decoder: class extends Decoder { constructor() { super({ maxAttachments }); } } };
}

// since reports whether a version is at least as new as another.
export const since = (version, first) => version.localeCompare(first, "en", { numeric: true }) >= 0;

// serverFlags returns the flags of a server that lets in clients of a version.
export const serverFlags = (version) => (since(version, "3") ? [] : ["--allow-eio3"]);

// next resolves to the arguments of the next event with a name. Call it before the step that causes
// the event.
export const next = (emitter, event) => new Promise((resolve) => {
  emitter.once(event, (...args) => resolve(args));
});

// ask emits an event and resolves to the arguments of its acknowledgement.
export const ask = (socket, event, ...args) => new Promise((resolve) => {
  socket.emit(event, ...args, (...answer) => resolve(answer));
});

// upgraded waits until the connection is on WebSocket.
export async function upgraded(socket) {
  const { engine } = socket.io;
  if (engine.transport.name !== "websocket") await next(engine, "upgrade");
}

// numbers waits until a socket has got "number" with each of first to end - 1, in order and only once.
export function numbers(socket, first, end) {
  let expected = first;
  const done = new Promise((resolve, reject) => {
    socket.on("number", function got(i) {
      if (i !== expected) reject(new Error(`got number ${i}, want ${expected}`));
      if (++expected !== end) return;
      socket.off("number", got);
      resolve();
    });
    socket.once("disconnect", (reason) => reject(new Error(`${reason} before number ${expected}`)));
  });
  done.catch(() => {}); // the code that awaits done sees the error
  return done;
}

// A Kit gives a check its sockets, proxies and servers, and closes them when the check ends.
export class Kit {
  #sockets = [];
  #ends = [];

  constructor({ version, mode, server, parser, start }) {
    Object.assign(this, { version, mode, server, parser });
    this.startServer = async (...flags) => {
      const started = await start(...flags);
      this.#ends.push(() => started.kill());
      return started;
    };
  }

  onEnd(f) { this.#ends.push(f); }

  // open makes a socket that is not connected yet.
  open(namespace = "/", { port = this.server.port, ...options } = {}) {
    const socket = versions[this.version](`http://127.0.0.1:${port}${namespace}`, {
      transports: modes[this.mode] ?? ["polling", "websocket"],
      forceNew: true, reconnection: false, ...(this.parser === "msgpack" && { parser: msgpack }), ...options,
    });
    this.#sockets.push(socket);
    return socket;
  }

  // connect opens a socket and waits until it has connected.
  async connect(namespace, options) {
    const socket = this.open(namespace, options);
    await new Promise((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("connect_error", reject);
    });
    return socket;
  }

  // settle waits until both sides use the last transport of a mode.
  async settle(socket) {
    if (this.mode === "default") await upgraded(socket);
    await ask(socket, "who");
  }

  // ended resolves to the server's reason for the end of a socket.
  async ended(id) {
    const witness = await this.connect();
    const [reason] = await ask(witness, "ended", id);
    return reason;
  }

  async end() {
    for (const socket of this.#sockets) socket.disconnect();
    for (const end of this.#ends.reverse()) await end();
  }
}
