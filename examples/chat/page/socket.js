// Socket.IO, protocol version 5, in the root namespace: events and acknowledgements over a
// connection that reconnects by itself.
//
// A packet is its type, the id of an acknowledgement if there is one, and JSON.
import { Engine } from "./engine.js";

const CONNECT = "0", DISCONNECT = "1", EVENT = "2", ACK = "3", CONNECT_ERROR = "4";
const reserved = ["connect", "disconnect", "connect_error", "upgrade"]; // events that this class fires itself

export class Socket {
  id = "";
  #url;
  #auth;
  #engine = null;
  #connected = false;
  #handlers = new Map();
  #acks = new Map();
  #nextAck = 0;
  #buffer = []; // events that were emitted while disconnected
  #attempts = 0;
  #retry;

  constructor(url, auth = {}) {
    this.#url = url;
    this.#auth = auth;
    addEventListener("online", () => { if (!this.#engine) this.#open(); });
    addEventListener("pagehide", () => this.#engine?.close());
    this.#open();
  }

  get transport() { return this.#engine?.transport ?? ""; }

  on(event, handler) {
    this.#handlers.set(event, [...this.#handlers.get(event) ?? [], handler]);
  }

  // emit sends an event. If the last argument is a function it gets the acknowledgement.
  emit(event, ...args) {
    let id = "";
    if (typeof args.at(-1) === "function") {
      id = this.#nextAck++;
      this.#acks.set(id, args.pop());
    }
    const packet = EVENT + id + JSON.stringify([event, ...args]);
    if (this.#connected) this.#engine.send(packet);
    else this.#buffer.push(packet);
  }

  #open() {
    clearTimeout(this.#retry);
    this.#engine = new Engine(this.#url, {
      open: () => this.#engine.send(CONNECT + JSON.stringify(this.#auth)),
      message: (data) => this.#receive(data),
      upgrade: () => this.#fire("upgrade"),
      close: (reason) => this.#lost(reason),
    });
  }

  // lost schedules the next attempt: after 1 s, 2 s, 4 s and then 5 s, each made shorter or longer at
  // random, so that not all clients reconnect at once when a server comes back.
  #lost(reason) {
    const wasConnected = this.#connected;
    this.#connected = false;
    this.#engine = null;
    const delay = Math.min(1000 * 2 ** this.#attempts++ * (0.5 + Math.random()), 5000);
    this.#retry = setTimeout(() => this.#open(), delay);
    if (wasConnected) this.#fire("disconnect", reason);
  }

  #receive(packet) {
    const [, type, digits, json] = /^(\d)(\d*)(.*)$/s.exec(packet);
    const data = json && JSON.parse(json);
    switch (type) {
      case CONNECT:
        this.id = data.sid;
        this.#connected = true;
        this.#attempts = 0;
        this.#fire("connect");
        for (const packet of this.#buffer.splice(0)) this.#engine.send(packet);
        return;
      case EVENT:
        if (!reserved.includes(data[0])) this.#fire(...data);
        if (digits) this.#engine.send(ACK + digits + "[]");
        return;
      case ACK:
        this.#acks.get(Number(digits))?.(...data);
        this.#acks.delete(Number(digits));
        return;
      case CONNECT_ERROR:
        return this.#fire("connect_error", data);
      case DISCONNECT: // the server has disconnected us: do not reconnect
        this.#connected = false;
        return this.#fire("disconnect", "io server disconnect");
    }
  }

  #fire(event, ...args) {
    for (const handler of this.#handlers.get(event) ?? []) handler(...args);
  }
}
