// Events and acknowledgements of every kind.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ask, next, numbers } from "../clients.mjs";

const everyPlane = "žluťoučký kůň, いろは, \u0000\u001e\u007f\u2028, \ud83e\udd8a, \u{10ffff}, \"\\/<>&";
const values = [
  null, true, false, 0, -1.5e300, 2 ** 53 - 1, "", everyPlane, [], {}, [[[]]],
  { a: [1, { b: null }], "": "", "__proto__x": 1, constructor: 2, toString: 3 },
  { _placeholder: true, num: 0 }, // ordinary data if no argument is binary
];

// echoed sends arguments there and back as an event, and then as an event and its ack. It sends one
// after the other, because clients before 4.5 do not keep a POST below maxPayload.
async function echoed(socket, ...args) {
  const back = next(socket, "echo");
  socket.emit("echo", ...args);
  assert.deepEqual(await back, args);
  assert.deepEqual(await ask(socket, "echo-ack", ...args), args);
}

export const checks = [
  {
    name: "the sid is the server's, and not Engine.IO's",
    async run(t) {
      const socket = t.open();
      const [{ id }] = await next(socket, "hello");
      assert.equal(id, socket.id);
      assert.notEqual(id, socket.io.engine.id);
    },
  },
  {
    name: "the transport is the mode's",
    since: "2",
    async run(t) {
      const socket = await t.connect();
      await t.settle(socket);
      const [{ transport }] = await ask(socket, "who");
      assert.equal(transport, t.mode === "polling" ? "polling" : "websocket");
      assert.equal(socket.io.engine.transport.name, transport);
    },
  },
  {
    name: "events and acks with JSON of every kind",
    since: "2",
    async run(t) {
      const socket = await t.connect();
      await echoed(socket);
      await echoed(socket, ...values);
      for (const value of values) await echoed(socket, value);
    },
  },
  {
    name: "unicode in names, arguments and rooms",
    since: "2",
    async run(t) {
      const [one, other] = await Promise.all([t.connect(), t.connect()]);
      await ask(other, "join", [everyPlane]);
      const got = next(other, everyPlane);
      one.emit("to", [everyPlane], [], everyPlane, { [everyPlane]: everyPlane });
      assert.deepEqual(await got, [{ [everyPlane]: everyPlane }]);
    },
  },
  {
    name: "binary nested in objects",
    since: "2",
    async run(t) {
      const socket = await t.connect();
      const [a, b, c] = [randomBytes(1), randomBytes(70_000), Buffer.alloc(0)];
      await echoed(socket, a);
      await echoed(socket, { deep: [{ a, list: [b, "text", { c }] }], n: 1 }, [c, a], null);
    },
  },
  {
    name: "binary with events between, in order",
    since: "2",
    async run(t) {
      const socket = await t.connect();
      const got = [];
      const done = new Promise((resolve) => {
        socket.on("echo", (...args) => { if (got.push(args) === 300) resolve(); });
      });
      const sent = Array.from({ length: 300 }, (_, i) => (i % 3 ? [i] : [i, randomBytes(i), { more: randomBytes(3) }]));
      for (const args of sent) socket.emit("echo", ...args);
      await done;
      assert.deepEqual(got, sent);
    },
  },
  {
    name: "900 kB of text",
    since: "2",
    run: async (t) => echoed(await t.connect(), "ž".repeat(450_000)),
  },
  {
    name: "700 kB of binary",
    since: "2",
    run: async (t) => echoed(await t.connect(), { file: randomBytes(700_000) }),
  },
  {
    name: "acks that the server asks for, with binary",
    since: "2",
    async run(t) {
      const socket = await t.connect();
      const data = randomBytes(1000);
      socket.on("question", (x, data, ack) => ack({ x, data }, "second"));
      const [answer] = await ask(socket, "ask", 10_000, "question", { n: 1 }, data);
      assert.deepEqual(answer, [{ x: { n: 1 }, data }, "second"]);
    },
  },
  {
    name: "an ack that does not come",
    since: "2",
    async run(t) {
      const socket = await t.connect();
      socket.on("question", () => {});
      assert.deepEqual(await ask(socket, "ask", 50, "question"), [null]);
      await echoed(socket, "lives");
    },
  },
  {
    name: "an ack with a timeout on the client",
    since: "4.4",
    async run(t) {
      const socket = await t.connect();
      const answer = (ms, event, ...args) => new Promise((resolve) => {
        socket.timeout(ms).emit(event, ...args, (...got) => resolve(got));
      });
      assert.deepEqual(await answer(10_000, "echo-ack", 1, "two"), [null, 1, "two"]);
      const [error] = await answer(50, "nobody handles this");
      assert.match(error.message, /timed out/);
    },
  },
  {
    name: "10,000 events in a loop each way, in order",
    since: "2",
    async run(t) {
      const socket = await t.connect();
      await t.settle(socket);
      const down = numbers(socket, 0, 10_000);
      socket.emit("flood", 0, 10_000);
      for (let i = 0; i < 10_000; i++) socket.emit("number", i);
      await down;
      socket.on("number", (i) => assert.fail(`number ${i} again`));
      assert.deepEqual(await ask(socket, "numbers"), [{ count: 10_000, ordered: true }]);
    },
  },
  {
    name: "volatile events come in order or not at all",
    since: "2",
    async run(t) {
      const socket = await t.connect();
      await t.settle(socket);
      const got = [];
      socket.on("maybe", (i) => got.push(i));
      const end = next(socket, "volatile-end");
      socket.emit("volatile", 1000);
      await end;
      assert.deepEqual(got, [...new Set(got)].sort((a, b) => a - b));
      if (t.mode === "polling") assert.ok(got.length < 1000, "all 1,000 found a request waiting");
      // A volatile event arrives if the client can take it at once: repeat it until it does.
      for (let before = got.length; got.length === before;) {
        const end = next(socket, "volatile-end");
        socket.emit("volatile", 1);
        await end;
      }
      return `${got.length - 1} of 1,000 came`;
    },
  },
];
