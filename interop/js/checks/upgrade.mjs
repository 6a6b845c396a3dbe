// Upgrades from polling to WebSocket, many at a time.
import assert from "node:assert/strict";
import { ask, numbers, upgraded } from "../clients.mjs";
import { proxy } from "../proxy.mjs";

const upgrades = 1000;
const atOnce = 50;
const each = 20; // events each way before, during and after the upgrade

function burst(socket, first, end) {
  socket.emit("flood", first, end);
  for (let i = first; i < end; i++) socket.emit("number", i);
}

async function upgrade(t, between) {
  const socket = await t.connect("/", { port: between.port });
  const down = numbers(socket, 0, 3 * each);
  assert.equal(socket.io.engine.transport.name, "polling");
  burst(socket, 0, each);
  const done = upgraded(socket);
  between.release(socket.io.engine.id);
  burst(socket, each, 2 * each);
  await done;
  burst(socket, 2 * each, 3 * each);
  await down;
  // Nothing was repeated either: a repeated event would have come before this.
  socket.on("number", (i) => assert.fail(`number ${i} again`));
  assert.deepEqual(await ask(socket, "numbers"), [{ count: 3 * each, ordered: true }]);
  socket.disconnect();
}

async function behindGate(t) {
  const between = await proxy(t.server.port);
  t.onEnd(() => between.close());
  between.holdWebSockets();
  return between;
}

export const checks = [
  {
    name: "10,000 events in a loop each way, in order, while the connection upgrades",
    since: "2",
    modes: ["default"],
    async run(t) {
      const between = await behindGate(t);
      const socket = await t.connect("/", { port: between.port });
      const down = numbers(socket, 0, 10_000);
      burst(socket, 0, 10_000);
      between.release(socket.io.engine.id);
      await Promise.all([down, upgraded(socket)]);
      socket.on("number", (i) => assert.fail(`number ${i} again`));
      assert.deepEqual(await ask(socket, "numbers"), [{ count: 10_000, ordered: true }]);
    },
  },
  {
    name: "1,000 upgrades under load lose nothing",
    since: "2",
    modes: ["default"],
    async run(t) {
      const between = await behindGate(t);
      let left = upgrades;
      await Promise.all(Array.from({ length: atOnce }, async () => {
        while (left-- > 0) await upgrade(t, between);
      }));
      return `${atOnce} at a time, ${6 * each * upgrades} events`;
    },
  },
];
