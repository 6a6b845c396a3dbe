// How connections end, and how clients reconnect.
import assert from "node:assert/strict";
import { ask, next, numbers } from "../clients.mjs";
import { proxy } from "../proxy.mjs";

const soon = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 100 };

// ends checks the end of a connection on both sides.
function ends(name, bringAbout, { client, server }) {
  return {
    name,
    since: "2",
    async run(t) {
      const socket = await t.connect();
      await t.settle(socket);
      const { id } = socket;
      const gone = next(socket, "disconnect");
      bringAbout(socket);
      const [reason] = await gone;
      const ofServer = await t.ended(id);
      assert.equal(reason, client);
      assert.ok([server].flat().includes(ofServer), ofServer);
      return `"${reason}" here, "${ofServer}" there`;
    },
  };
}

// behindProxy gives a check a new server behind a proxy.
const behindProxy = (flags, run) => async (t) => {
  const server = await t.startServer(...flags);
  const between = await proxy(server.port);
  t.onEnd(() => between.close());
  return run(t, between, server);
};

// comesBack ends the server and starts it again. On polling the reason may also be "transport error",
// depending on whether a request was in progress.
async function comesBack(t, between, server, end, want) {
  const socket = await t.connect("/", { port: between.port, ...soon });
  await t.settle(socket);
  const { id } = socket;
  const gone = next(socket, "disconnect");
  await end(server);
  const [reason] = await gone;
  assert.ok(reason === want || (t.mode === "polling" && reason === "transport error"), reason);
  for (let i = 0; i < 100; i++) socket.emit("number", i); // kept while disconnected
  const back = next(socket, "connect");
  between.to((await t.startServer()).port);
  await back;
  assert.notEqual(socket.id, id);
  assert.deepEqual(await ask(socket, "numbers"), [{ count: 100, ordered: true }]);
  const down = numbers(socket, 0, 100);
  socket.emit("flood", 0, 100);
  await down;
  return `"${reason}"`;
}

export const checks = [
  {
    name: "a page's component that is mounted twice at once, while the middleware runs",
    async run(t) {
      const socket = await t.connect();
      const late = socket.io.socket("/late"); // asks
      late.disconnect(); // which the server is not told: the socket has not connected
      const connected = next(late, "connect");
      late.connect();
      await connected;
      const [{ id }] = await ask(late, "who");
      assert.ok(id);
      assert.ok(socket.connected);
      late.disconnect();
    },
  },
  ends("the client leaves", (socket) => socket.disconnect(),
    { client: "io client disconnect", server: "client namespace disconnect" }),
  ends("the client closes its connection", (socket) => socket.io.engine.close(),
    { client: "forced close", server: "transport close" }),
  ends("the server sends a client away", (socket) => socket.emit("disconnect-me", false),
    { client: "io server disconnect", server: "server namespace disconnect" }),
  ends("the server closes a client's connection", (socket) => socket.emit("disconnect-me", true),
    { client: "io server disconnect", server: "server namespace disconnect" }),
  ends("the client breaks Socket.IO", (socket) => socket.io.engine.write("2{}"),
    { client: "transport close", server: ["forced close", "forced server close"] }),
  {
    name: "no pongs: ping timeout",
    async run(t) {
      const server = await t.startServer("--ping-interval", "200", "--ping-timeout", "200");
      const socket = await t.connect("/", { port: server.port });
      await t.settle(socket);
      const { engine } = socket.io;
      const method = engine.sendPacket ? "sendPacket" : "_sendPacket";
      const send = engine[method];
      engine[method] = (type, ...more) => type === "pong" || send.call(engine, type, ...more);
      const { id } = socket;
      const [reason] = await next(socket, "disconnect");
      assert.equal(reason, "transport close");
      const witness = await t.connect("/", { port: server.port });
      assert.deepEqual(await ask(witness, "ended", id), ["ping timeout"]);
    },
  },
  {
    name: "a dead network: ping timeout on the client",
    since: "2",
    run: behindProxy(["--ping-interval", "500", "--ping-timeout", "500"], async (t, between) => {
      const socket = await t.connect("/", { port: between.port });
      await t.settle(socket);
      const gone = next(socket, "disconnect");
      between.stall();
      assert.equal((await gone)[0], "ping timeout");
    }),
  },
  {
    name: "a cut connection",
    since: "2",
    run: behindProxy(["--ping-interval", "1000", "--ping-timeout", "1000"], async (t, between, server) => {
      const socket = await t.connect("/", { port: between.port });
      await t.settle(socket);
      const { id } = socket;
      const gone = next(socket, "disconnect");
      between.cut();
      const [reason] = await gone;
      const witness = await t.connect("/", { port: server.port });
      const [ofServer] = await ask(witness, "ended", id);
      // On polling it depends on whether a request was in progress.
      assert.equal(reason, t.mode === "polling" ? "transport error" : "transport close");
      assert.ok((t.mode === "polling" ? ["transport error", "ping timeout"] : ["transport close"]).includes(ofServer), ofServer);
      return `"${reason}" here, "${ofServer}" there`;
    }),
  },
  {
    name: "the server is stopped and started again",
    since: "2",
    run: behindProxy([], (t, between, server) => comesBack(t, between, server, async () => {
      assert.equal(await server.stop(), 0);
    }, "transport close")),
  },
  {
    name: "the server is killed and started again",
    since: "2",
    run: behindProxy([], (t, between, server) => comesBack(t, between, server, () => server.kill(), "transport close")),
  },
  {
    name: "WebSocket is blocked: polling works on",
    since: "2",
    modes: ["default"],
    run: behindProxy([], async (t, between) => {
      between.blockWebSocket();
      const socket = t.open("/", { port: between.port });
      const failed = new Promise((resolve) => {
        socket.io.once("open", () => socket.io.engine.once("upgradeError", resolve));
      });
      await next(socket, "connect");
      const down = numbers(socket, 0, 1000);
      socket.emit("flood", 0, 1000);
      for (let i = 0; i < 1000; i++) socket.emit("number", i);
      await Promise.all([down, failed]);
      assert.deepEqual(await ask(socket, "numbers"), [{ count: 1000, ordered: true }]);
      assert.equal((await ask(socket, "who"))[0].transport, "polling");
    }),
  },
  {
    name: "recovery after a cut",
    since: "4.6",
    run: behindProxy(["--recovery", "--ping-interval", "1000", "--ping-timeout", "1000"], async (t, between, server) => {
      const socket = t.open("/", { port: between.port, ...soon });
      await next(socket, "hello");
      assert.equal(socket.recovered, false);
      await t.settle(socket);
      await ask(socket, "join", ["room"]);
      const other = await t.connect("/", { port: server.port });
      const { id } = socket;
      between.cut();
      assert.ok((await ask(other, "ended", id))[0]);

      const missed = [];
      const last = new Promise((resolve) => {
        socket.on("news", (...args) => {
          assert.equal(typeof args.pop(), "string"); // the offset, which the client does not remove
          if (missed.push(args) === 100) resolve();
        });
      });
      for (let i = 0; i < 100; i++) {
        other.emit("to", [i % 2 ? "room" : id], [], "news", i, ...(i % 5 ? [] : [Buffer.from([i])]));
        other.emit("to", ["elsewhere"], [], "news", "not for us");
      }
      await ask(other, "who");
      const back = next(socket, "connect");
      between.mend();
      await back;
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
      await last;
      assert.deepEqual(missed, Array.from({ length: 100 }, (_, i) => (i % 5 ? [i] : [i, Buffer.from([i])])));
      assert.deepEqual((await ask(socket, "who"))[0].rooms, [id, "room"].sort());
    }),
  },
  {
    name: "no recovery for who has left",
    since: "4.6",
    run: behindProxy(["--recovery"], async (t, between) => {
      const socket = t.open("/", { port: between.port });
      await next(socket, "hello");
      const { id } = socket;
      socket.disconnect();
      const back = next(socket, "connect");
      socket.connect();
      await back;
      assert.equal(socket.recovered, false);
      assert.notEqual(socket.id, id);
    }),
  },
  {
    name: "retries: each packet arrives, in order, through cuts",
    since: "4.6",
    run: behindProxy([], async (t, between, server) => {
      const socket = await t.connect("/", { port: between.port, ...soon, retries: 1000, ackTimeout: 500 });
      const answered = Array.from({ length: 30 }, (_, i) => new Promise((resolve) => {
        socket.emit("store", "retries", i, resolve);
      }));
      for (const i of [5, 15]) {
        await answered[i];
        between.cut();
        await next(socket, "disconnect");
        between.mend();
      }
      await Promise.all(answered);
      const witness = await t.connect("/", { port: server.port });
      const [list] = await ask(witness, "stored", "retries");
      assert.deepEqual([...new Set(list)], answered.map((_, i) => i));
      assert.deepEqual(list, list.toSorted((a, b) => a - b));
    }),
  },
];
