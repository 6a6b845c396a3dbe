// Tests a Socket.IO server with the JavaScript client, in each version and mode.
//
//   node run.mjs [--reference | --server PROGRAM] [--parser msgpack] [--version 4.8] [--mode polling] [--only upgrade]
//
// --reference tests Node's own server: a check that fails there is wrong. The last line of the output
// counts the checks.
import { parseArgs } from "node:util";
import { fileURLToPath } from "node:url";
import { Kit, modes, serverFlags, since, versions } from "./clients.mjs";
import { start } from "./server.mjs";
import * as files from "./checks/files.mjs";
import * as life from "./checks/life.mjs";
import * as rooms from "./checks/rooms.mjs";
import * as traffic from "./checks/traffic.mjs";
import * as upgrade from "./checks/upgrade.mjs";
import * as version2 from "./checks/version2.mjs";

const patience = 120; // seconds for one check, which hangs only if something is wrong

const { values: flags } = parseArgs({ options: {
  reference: { type: "boolean" }, server: { type: "string" }, parser: { type: "string", default: "text" },
  version: { type: "string", default: "" }, mode: { type: "string", default: "" }, only: { type: "string", default: "" },
} });
const local = (path) => fileURLToPath(new URL(path, import.meta.url));
if (!flags.reference === !flags.server) throw new Error("either --reference or --server PROGRAM");
const command = flags.reference
  ? [process.execPath, local("reference.mjs")]
  : [flags.server, "--client", local("node_modules/socket.io/client-dist")];
command.push("--parser", flags.parser);

const checks = [traffic, rooms, life, upgrade, version2, files].flatMap((module) => module.checks);
let passed = 0;
let failed = 0;

async function step(name, check, kit) {
  const started = performance.now();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${patience} s`)), patience * 1000);
  });
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  try {
    const found = await Promise.race([check.run(kit), late]);
    passed++;
    console.log(`ok    ${name}${found ? `: ${found}` : ""} (${seconds()} s)`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}: ${error.stack} (${seconds()} s)`);
  }
  clearTimeout(timer);
  await kit.end();
}

const counts = [];
const ran = new Set();
// Versions 2 of the client need another version of socket.io-msgpack-parser.
const oldest = flags.parser === "msgpack" ? "4" : "2";
for (const version of Object.keys(versions).filter((version) => version.startsWith(flags.version) && since(version, oldest))) {
  for (const mode of Object.keys(modes).filter((mode) => mode.startsWith(flags.mode))) {
    const before = { passed, failed };
    const begin = (...more) => start(command, ...serverFlags(version), ...more);
    const server = await begin();
    for (const check of checks) {
      if (!check.name.includes(flags.only) || (check.once && ran.has(check))) continue;
      if (!since(version, check.since ?? "4") || (check.until && since(version, check.until))) continue;
      if ((check.modes && !check.modes.includes(mode)) || (check.parsers && !check.parsers.includes(flags.parser))) continue;
      ran.add(check);
      const kit = new Kit({ version, mode, server, parser: flags.parser, start: begin });
      await step(`${version} ${mode}: ${check.name}`, check, kit);
    }
    const status = await server.stop();
    if (status !== 0) {
      failed++;
      console.log(`FAIL  ${version} ${mode}: the server's exit status is ${status}`);
    }
    counts.push(`${version} ${mode}: ${passed - before.passed} passed, ${failed - before.failed} failed`);
  }
}
console.log(`\n${counts.join("\n")}`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
