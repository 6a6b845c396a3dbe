// A TCP proxy that keeps its port while servers behind it are replaced, and that can fail as networks
// fail.
import { once } from "node:events";
import net from "node:net";

export async function proxy(port) {
  const pairs = new Set();
  let target = port;
  let away = false;
  let stalled = false;
  let noWebSocket = false;
  let refused = 0;
  const held = new Map(); // by sid: the function that lets a session's WebSocket pass
  const released = new Set();
  let holding = false;

  const listener = net.createServer((client) => {
    client.on("error", () => client.destroy());
    if (away) return client.destroy();
    if (stalled) return;
    client.once("data", (head) => {
      const text = head.toString("latin1");
      if (!/^upgrade: *websocket/im.test(text)) return pass(client, head);
      if (noWebSocket) {
        refused++;
        client.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        return;
      }
      const sid = /[?&]sid=([^& ]+)/.exec(text)?.[1];
      if (holding && !released.has(sid)) held.set(sid, () => pass(client, head));
      else pass(client, head);
    });
  });

  function pass(client, head) {
    const upstream = net.connect(target, "127.0.0.1");
    const pair = [client, upstream];
    pairs.add(pair);
    for (const socket of pair) {
      socket.on("error", () => {});
      socket.on("close", () => {
        pairs.delete(pair);
        for (const each of pair) each.destroy();
      });
    }
    upstream.write(head);
    client.pipe(upstream).pipe(client);
  }

  await once(listener.listen(0, "127.0.0.1"), "listening");
  return {
    port: listener.address().port,
    // to makes new connections go to another port.
    to(port) { target = port; },
    // cut ends all connections and accepts none until mend is called.
    cut() {
      away = true;
      for (const pair of pairs) for (const socket of pair) socket.destroy();
    },
    mend() { away = false; },
    // stall keeps all connections open and accepts new ones, but passes nothing on.
    stall() {
      stalled = true;
      for (const [client, upstream] of pairs) {
        for (const socket of [client, upstream]) socket.unpipe().pause();
      }
    },
    // blockWebSocket refuses handshakes, as the proxies of some companies do.
    blockWebSocket() { noWebSocket = true; },
    get refused() { return refused; },
    // holdWebSockets delays the handshake of a session until release is called with its sid.
    holdWebSockets() { holding = true; },
    release(sid) {
      released.add(sid);
      held.get(sid)?.();
    },
    close() {
      this.cut();
      listener.close();
    },
  };
}
