// Engine.IO, protocol version 4. A session starts on long-polling, which every proxy lets pass, and
// moves to a WebSocket if it can open one.
//
// A packet is its type, followed by its data. On polling, one body holds several packets with a
// record separator between them. On WebSocket each packet is a message. This page needs no binary
// packets.
const OPEN = "0", CLOSE = "1", PING = "2", PONG = "3", MESSAGE = "4", UPGRADE = "5", NOOP = "6";
const separator = "\x1e";

export class Engine {
  transport = "polling";
  #url;
  #sid = "";
  #closed = false;
  #queue = []; // packets that have not been sent
  #posting = null; // the current POST
  #polling = null; // the current GET
  #pausing = false; // an upgrade is in progress, and nothing is sent
  #ws = null;
  #silence; // the timer for a server that does not ping
  #patience = 20_000;
  #maxPayload = 1_000_000;
  #abort = new AbortController();

  // on has open(), message(data), upgrade() and close(reason).
  constructor(url, on) {
    this.#url = url;
    this.on = on;
    this.#listen();
    this.#poll();
  }

  send(data) { this.#send(MESSAGE + data); }

  close() {
    this.#send(CLOSE);
    this.#end("forced close");
  }

  // Polling: one GET waits for packets, and at most one POST sends ours.

  async #request(options) {
    const query = new URLSearchParams({ EIO: 4, transport: "polling", ...(this.#sid && { sid: this.#sid }) });
    const response = await fetch(`${this.#url}?${query}`, { cache: "no-store", ...options });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    return response.text();
  }

  async #poll() {
    while (!this.#closed && !this.#pausing && this.transport === "polling") {
      this.#polling = this.#request({ signal: this.#abort.signal });
      try {
        for (const packet of (await this.#polling).split(separator)) this.#receive(packet);
      } catch {
        if (this.transport === "polling") this.#end("transport error");
      } finally {
        this.#polling = null;
      }
    }
  }

  #send(packet) {
    this.#queue.push(packet);
    this.#flush();
  }

  #flush() {
    if (this.#pausing || this.#posting || !this.#sid || !this.#queue.length) return;
    if (this.transport === "websocket") {
      for (const packet of this.#queue.splice(0)) this.#ws.send(packet);
      return;
    }
    this.#posting = this.#post(this.#batch()).then(() => {
      this.#posting = null;
      this.#flush();
    });
  }

  // batch takes as many packets as the server accepts in one POST.
  #batch() {
    let size = 0, n = 0;
    do size += new Blob([this.#queue[n++]]).size + 1;
    while (n < this.#queue.length && size + new Blob([this.#queue[n]]).size <= this.#maxPayload);
    return this.#queue.splice(0, n).join(separator);
  }

  async #post(body) {
    try {
      await this.#request({ method: "POST", headers: { "Content-Type": "text/plain;charset=UTF-8" }, body });
    } catch {
      this.#end("transport error");
    }
  }

  // Upgrade: the WebSocket is tried with a ping. It takes over only when both requests are done, so
  // that no packet is still on its way by polling.

  #upgrade() {
    const ws = new WebSocket(`${this.#url.replace(/^http/, "ws")}?EIO=4&transport=websocket&sid=${this.#sid}`);
    this.#abort.signal.addEventListener("abort", () => ws.close());
    ws.onopen = () => ws.send(PING + "probe");
    ws.onmessage = async ({ data }) => {
      if (data !== PONG + "probe" || this.#closed) return ws.close();
      this.#pausing = true;
      await this.#posting;
      await this.#polling?.catch(() => {}); // the server answers it with a noop
      this.#pausing = false;
      if (this.#closed) return;
      if (ws.readyState !== WebSocket.OPEN) {
        this.#poll();
        this.#flush();
        return;
      }
      ws.onmessage = ({ data }) => this.#receive(data);
      ws.onclose = () => this.#end("transport close");
      ws.send(UPGRADE);
      this.#ws = ws;
      this.transport = "websocket";
      this.on.upgrade();
      this.#flush();
    };
    // If the WebSocket fails before that, polling goes on.
  }

  // Packets.

  #receive(packet) {
    const data = packet.slice(1);
    switch (packet[0]) {
      case OPEN: return this.#open(JSON.parse(data));
      case PING:
        this.#listen();
        return this.#send(PONG + data);
      case MESSAGE: return this.on.message(data);
      case CLOSE: return this.#end("transport close");
      case NOOP: return;
    }
  }

  #open({ sid, upgrades, pingInterval, pingTimeout, maxPayload }) {
    this.#sid = sid;
    this.#patience = pingInterval + pingTimeout;
    this.#maxPayload = maxPayload ?? this.#maxPayload;
    this.#listen();
    this.on.open();
    if (upgrades.includes("websocket")) this.#upgrade();
  }

  // listen starts to wait for the next ping.
  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#end("ping timeout"), this.#patience);
  }

  #end(reason) {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#silence);
    this.#abort.abort();
    this.#ws?.close();
    this.on.close(reason);
  }
}
