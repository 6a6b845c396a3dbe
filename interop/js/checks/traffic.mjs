// Events and acknowledgements of every kind.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { ask, next, numbers, textParser } from "../clients.mjs";

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
      // The encoder of socket.io-msgpack-parser breaks large numbers without a fraction.
      const sent = t.parser === "msgpack" ? values.map((value) => (value === -1.5e300 ? -1.5e-300 : value)) : values;
      await echoed(socket, ...sent);
      for (const value of sent) await echoed(socket, value);
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
    name: "more attachments than ten, by option",
    async run(t) {
      const { port } = await t.startServer("--attachments", "300");
      const parser = t.parser === "text" ? { parser: textParser(t.version, 300) } : {};
      const socket = await t.connect("/", { port, ...parser });
      const list = (n) => Array.from({ length: n }, (_, i) => Buffer.from([i]));
      for (const n of [9, 10, 11, 100, 101, 299]) await echoed(socket, list(n), { last: randomBytes(2) });
    },
  },
  {
    name: "integers of every size",
    async run(t) {
      const socket = await t.connect();
      const list = [0, ...[5, 7, 8, 15, 16, 31, 32, 53].flatMap((bits) => [2 ** bits - 1, 1 - 2 ** bits])];
      await echoed(socket, ...list, ...list.filter((n) => Math.abs(n) < 2 ** 53 - 1).flatMap((n) => [n + 1, n - 1, n / 3]));
    },
  },
  {
    name: "arrays and objects of every size",
    async run(t) {
      const socket = await t.connect();
      for (const n of [15, 16, 65_535, 65_536]) {
        await echoed(socket, Array(n).fill(0), Object.fromEntries(Array.from({ length: n / 16 }, (_, i) => [`k${i}`, i])), "x".repeat(n));
      }
    },
  },
  {
    name: "what MessagePack has and JSON has not",
    parsers: ["msgpack"],
    async run(t) {
      const socket = await t.connect();
      const date = new Date("2026-11-27T23:30:01.250Z");
      const { buffer } = new Uint8Array([1, 2, 3]);
      const got = await ask(socket, "echo-ack", date, undefined, { a: undefined, b: [undefined, NaN] }, buffer, { deep: buffer });
      // Node's server gives back the same. From Go these come back as what JSON and bin have.
      const [first, second, third] = JSON.parse(JSON.stringify(got));
      assert.deepEqual([first, second, third], [date.toISOString(), null, { b: [null, null] }]);
      for (const bytes of [got[3], got[4].deep]) assert.deepEqual(Buffer.from(bytes), Buffer.from(buffer));
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
    name: "large text",
    since: "2",
    // MessagePack is binary, which is base64 on polling, and longer by a third.
    run: async (t) => echoed(await t.connect(), "ž".repeat(t.parser === "msgpack" ? 350_000 : 450_000)),
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
