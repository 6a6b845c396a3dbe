// Runs the same small programs against our server and against Node's, and compares what comes out.
//
//   node sidebyside.mjs [--only cors] SERVER
//
// Where the results differ on purpose a probe says in "parley" what ours is, and docs/from-node.md or
// docs/node-tests.md why. The last line of the output counts the probes.
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { start } from "./server.mjs";
import * as http from "./probes/http.mjs";
import * as packets from "./probes/packets.mjs";
import * as recovery from "./probes/recovery.mjs";

const { values: flags, positionals } = parseArgs({
  allowPositionals: true, options: { only: { type: "string", default: "" } },
});
const local = (path) => fileURLToPath(new URL(path, import.meta.url));
const commands = {
  node: [process.execPath, local("reference.mjs")],
  parley: [positionals[0], "--client", local("node_modules/socket.io/client-dist")],
};

const servers = new Map(); // by command and flags: probes with the same flags share one
async function server(command, more = []) {
  const key = [...command, ...more].join(" ");
  if (!servers.has(key)) servers.set(key, await start(command, ...more));
  return servers.get(key);
}

let passed = 0;
let failed = 0;
for (const probe of [http, packets, recovery].flatMap((module) => module.probes)) {
  if (!probe.name.includes(flags.only)) continue;
  try {
    const run = async (command) => probe.run(await server(command, probe.flags));
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error("not done after 10 s")), 10_000));
    const [node, parley] = await Promise.race([Promise.all([run(commands.node), run(commands.parley)]), late]);
    if ("parley" in probe) {
      assert.notDeepEqual(node, parley, "the same: nothing differs any more");
      assert.deepEqual(parley, probe.parley, "ours is not what the probe says");
    } else {
      assert.deepEqual(parley, node, "ours differs from Node's");
    }
    passed++;
    console.log(`ok    ${probe.name}: ${JSON.stringify(node)}${"parley" in probe ? `, ours ${JSON.stringify(parley)}` : ""}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${probe.name}: ${error.stack}`);
  }
}
for (const each of servers.values()) await each.kill();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
