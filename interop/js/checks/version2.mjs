// What clients of Socket.IO 2 do in another way than later ones: they speak version 4 of the protocol,
// over version 3 of Engine.IO.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ask, next } from "../clients.mjs";

// The checks are for these versions alone.
const only = { since: "2", until: "3" };

async function refused(t, namespace, options) {
  const socket = t.open(namespace, options);
  socket.on("connect", () => assert.fail("connected"));
  const [error] = await next(socket, "error");
  return error;
}

// collect returns the packets that an Engine.IO client receives from now on.
function collect(engine) {
  const packets = [];
  engine.on("packet", ({ type }) => packets.push(type));
  return packets;
}

export const checks = [
  {
    name: "the id is that of Engine.IO, after the namespace",
    ...only,
    async run(t) {
      const root = t.open();
      const [{ id }] = await next(root, "hello");
      assert.equal(id, root.id);
      assert.equal(id, root.io.engine.id);
      const custom = root.io.socket("/custom");
      const [hello] = await next(custom, "hello");
      assert.equal(hello.id, custom.id);
      assert.equal(hello.id, `/custom#${id}`);
    },
  },
  {
    name: "namespaces on one connection, left and joined again",
    ...only,
    async run(t) {
      const root = await t.connect();
      const custom = root.io.socket("/custom");
      const dynamic = root.io.socket("/dynamic-7");
      await Promise.all([next(custom, "connect"), next(dynamic, "connect")]);
      for (const [i, socket] of [root, custom, dynamic].entries()) {
        assert.deepEqual(await ask(socket, "echo-ack", i, Buffer.from([i])), [i, Buffer.from([i])]);
      }
      const gone = next(custom, "disconnect");
      custom.emit("disconnect-me", false);
      assert.equal((await gone)[0], "io server disconnect");
      assert.deepEqual(await ask(root, "echo-ack", "lives"), ["lives"]);
      const again = next(custom, "connect");
      custom.connect();
      await again;
      assert.deepEqual(await ask(custom, "echo-ack", "back"), ["back"]);
    },
  },
  {
    name: "a namespace that there is not",
    ...only,
    run: async (t) => assert.deepEqual(await refused(t, "/unknown"), { message: "Invalid namespace" }),
  },
  {
    name: "middleware that refuses: its data, or its text",
    ...only,
    async run(t) {
      assert.deepEqual(await refused(t, "/refused"), { code: 42, why: { list: ["ž", null] } });
      assert.equal(await refused(t, "/members"), "members only");
    },
  },
  {
    name: "the query of a namespace is the auth",
    ...only,
    async run(t) {
      assert.equal(await refused(t, "/members", { query: { token: "wrong" } }), "members only");
      const socket = await t.connect("/members", { query: { token: "secret", more: "a b&ž,?" } });
      assert.deepEqual((await ask(socket, "who"))[0].auth, { token: "secret", more: "a b&ž,?" });
      const root = await t.connect();
      assert.deepEqual((await ask(root, "who"))[0].auth, {});
    },
  },
  {
    name: "binary data in base64, for clients that ask for it",
    ...only,
    async run(t) {
      const socket = await t.connect("/", { forceBase64: true });
      await t.settle(socket);
      for (const size of [0, 1, 2, 3, 1000, 100_000]) {
        const data = randomBytes(size);
        assert.deepEqual(await ask(socket, "echo-ack", "ž", data, { data }), ["ž", data, { data }]);
      }
    },
  },
  {
    name: "binary data of every size in one go",
    ...only,
    async run(t) {
      const socket = await t.connect();
      await t.settle(socket);
      const sent = [...Array(300).keys(), 65_535, 65_536, 300_000].map((size) => randomBytes(size));
      const answers = await Promise.all(sent.map((data, i) => ask(socket, "echo-ack", `${"\u{1F98A}".repeat(i % 5)}`, data)));
      answers.forEach(([text, data], i) => {
        assert.equal(text, "\u{1F98A}".repeat(i % 5));
        assert.deepEqual(data, sent[i]);
      });
    },
  },
  {
    name: "the client pings, and the server only answers",
    ...only,
    async run(t) {
      const server = await t.startServer("--ping-interval", "100", "--ping-timeout", "1000");
      const socket = await t.connect("/", { port: server.port });
      await t.settle(socket);
      const packets = collect(socket.io.engine);
      for (let i = 0; i < 5; i++) await next(socket, "pong");
      assert.ok(packets.filter((type) => type === "pong").length >= 5);
      assert.ok(!packets.includes("ping"));
      assert.deepEqual(await ask(socket, "echo-ack", "lives"), ["lives"]);
    },
  },
  {
    name: "no pings: ping timeout",
    ...only,
    modes: ["websocket", "polling"], // Node's server forgets the timeout when a connection upgrades
    async run(t) {
      const server = await t.startServer("--ping-interval", "200", "--ping-timeout", "200");
      const socket = await t.connect("/", { port: server.port });
      const { engine } = socket.io;
      engine.ping = () => {};
      engine.removeAllListeners("heartbeat");
      clearTimeout(engine.pingTimeoutTimer);
      engine.onHeartbeat = () => {};
      const { id } = socket;
      await next(socket, "disconnect");
      const witness = await t.connect("/", { port: server.port });
      assert.deepEqual(await ask(witness, "ended", id), ["ping timeout"]);
    },
  },
];
