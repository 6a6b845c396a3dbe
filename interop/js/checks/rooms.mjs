// Namespaces, middleware, rooms and broadcasts.
import assert from "node:assert/strict";
import { ask, next } from "../clients.mjs";

// heard makes each socket collect the arguments of an event.
function heard(sockets, event) {
  const all = sockets.map(() => []);
  sockets.forEach((socket, i) => socket.on(event, (...args) => all[i].push(args)));
  return all;
}

// barrier waits until each socket has got all events that any of the sockets emitted to it before.
async function barrier(sockets) {
  for (const socket of sockets) await ask(socket, "who");
  for (const socket of sockets) await ask(socket, "who");
}

async function refused(t, namespace, options) {
  const socket = t.open(namespace, options);
  socket.on("connect", () => assert.fail("connected"));
  const [error] = await next(socket, "connect_error");
  return error;
}

export const checks = [
  {
    name: "namespaces on one connection",
    async run(t) {
      const root = await t.connect();
      const custom = root.io.socket("/custom");
      const dynamic = root.io.socket("/dynamic-7");
      await Promise.all([next(custom, "connect"), next(dynamic, "connect")]);
      assert.equal(new Set([root.id, custom.id, dynamic.id, root.io.engine.id]).size, 4);
      const everybody = [root, custom, dynamic];
      const [inRoot, inCustom, inDynamic] = heard(everybody, "echo");
      everybody.forEach((socket, i) => socket.emit("echo", i, Buffer.from([i])));
      await barrier(everybody);
      assert.deepEqual([inRoot, inCustom, inDynamic], [0, 1, 2].map((i) => [[i, Buffer.from([i])]]));
      const gone = next(custom, "disconnect");
      custom.emit("disconnect-me", false);
      assert.equal((await gone)[0], "io server disconnect");
      assert.deepEqual(await ask(root, "echo-ack", "lives"), ["lives"]);
      const again = next(custom, "connect");
      custom.connect();
      await again;
    },
  },
  {
    name: "a namespace that there is not",
    run: async (t) => assert.equal((await refused(t, "/unknown")).message, "Invalid namespace"),
  },
  {
    name: "middleware that refuses, with data",
    async run(t) {
      const error = await refused(t, "/refused");
      assert.equal(error.message, "not you");
      assert.deepEqual(error.data, { code: 42, why: { list: ["ž", null] } });
    },
  },
  {
    name: "auth, as a value and as a function",
    async run(t) {
      assert.equal((await refused(t, "/members")).message, "members only");
      assert.equal((await refused(t, "/members", { auth: { token: "wrong" } })).message, "members only");
      const byValue = await t.connect("/members", { auth: { token: "secret", more: ["ž"] } });
      assert.deepEqual((await ask(byValue, "who"))[0].auth, { token: "secret", more: ["ž"] });
      const byFunction = await t.connect("/members", { auth: (use) => use({ token: "secret" }) });
      assert.deepEqual((await ask(byFunction, "who"))[0].auth, { token: "secret" });
    },
  },
  {
    name: "refused, then let in on the same connection",
    async run(t) {
      const auth = { token: "wrong" };
      const socket = t.open("/members", { auth });
      await next(socket, "connect_error");
      auth.token = "secret";
      const connected = next(socket, "connect");
      socket.connect();
      await connected;
    },
  },
  {
    name: "query and header fields of the handshake",
    since: "2",
    async run(t) {
      const socket = await t.connect("/", { query: { q: "a b&ž" }, extraHeaders: { "X-Parley": "yes" } });
      const [{ query, header }] = await ask(socket, "who");
      assert.deepEqual({ query, header }, { query: "a b&ž", header: "yes" });
    },
  },
  {
    name: "rooms: to, in, except, several at once, leave",
    since: "2",
    async run(t) {
      const sockets = await Promise.all([t.connect(), t.connect(), t.connect(), t.connect()]);
      const [a, b, c, d] = sockets;
      const room = (name) => `${name} of ${a.id}`;
      await ask(a, "join", [room("one")]);
      await ask(b, "join", [room("one"), room("two")]);
      await ask(c, "join", [room("two")]);
      await ask(d, "join", [room("three")]);
      const got = heard(sockets, "news");
      a.emit("to", [room("one")], [], "news", "to one, but the sender");
      a.emit("in", [room("one"), room("two")], [], "news", "in both, once");
      a.emit("in", [room("one"), room("two")], [room("two")], "news", "in one, except two");
      a.emit("to", [d.id], [], "news", "the room of an id", Buffer.from("binary"));
      await barrier(sockets);
      await ask(b, "leave", room("one"));
      a.emit("in", [room("one")], [], "news", "without b");
      await barrier(sockets);
      assert.deepEqual(got, [
        [["in both, once"], ["in one, except two"], ["without b"]],
        [["to one, but the sender"], ["in both, once"]],
        [["in both, once"]],
        [["the room of an id", Buffer.from("binary")]],
      ]);
      const [ids] = await ask(a, "sockets", room("two"));
      assert.deepEqual(ids, [b.id, c.id].sort());
      const [{ rooms }] = await ask(b, "who");
      assert.deepEqual(rooms, [b.id, room("two")].sort());
    },
  },
  {
    name: "the scenario: join-room and message",
    since: "2",
    async run(t) {
      // The events of the README, built from the events of this server.
      const sockets = await Promise.all([t.connect(), t.connect(), t.connect()]);
      const [ann, bob, eve] = sockets;
      const room = `lobby of ${ann.id}`;
      await Promise.all([ask(ann, "join", [room]), ask(bob, "join", [room])]);
      const got = heard([ann, bob, eve], "receive-message");
      ann.emit("to", [room], [], "receive-message", "hello");
      await barrier(sockets);
      assert.deepEqual(got, [[], [["hello"]], []]);
    },
  },
  {
    name: "broadcast acks",
    since: "4.5",
    async run(t) {
      const sockets = await Promise.all([t.connect(), t.connect(), t.connect()]);
      const [a, b, c] = sockets;
      await Promise.all(sockets.map((socket) => ask(socket, "join", [`asked by ${a.id}`])));
      sockets.forEach((socket, i) => socket.on("question", (x, ack) => ack(x + i)));
      const [complete, answers] = await ask(a, "ask-room", `asked by ${a.id}`, 10_000, "question", 10);
      assert.equal(complete, true);
      assert.deepEqual(answers.sort(), [10, 11, 12]);
      c.off("question");
      const [partial, some] = await ask(a, "ask-room", `asked by ${a.id}`, 200, "question", 20);
      assert.equal(partial, false);
      assert.deepEqual(some.sort(), [20, 21]);
      assert.deepEqual(await ask(b, "ask-room", "nobody is here", 10_000, "question"), [true, []]);
    },
  },
];
