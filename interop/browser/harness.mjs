// The common parts of the browser checks: a server process, a proxy that counts bytes, Chromium, and
// steps that report their results.
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

// The time limit of all checks together.
export function limit(seconds) {
  setTimeout(() => {
    console.error(`not done after ${seconds} s`);
    process.exit(1);
  }, seconds * 1000).unref();
}

export const browser = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    // Chromium must not throttle tabs in the background.
    "--disable-renderer-backgrounding", "--disable-backgrounding-occluded-windows", "--disable-background-timer-throttling",
  ],
});

// serve starts a server that says "listening on http://host:port" on standard error.
export async function serve(program, ...args) {
  const child = spawn(program, ["-addr", "127.0.0.1:0", ...args], { stdio: ["ignore", "inherit", "pipe"] });
  const exited = once(child, "exit");
  const lines = createInterface(child.stderr);
  const [line] = await Promise.race([once(lines, "line"), exited.then(() => ["ended at once"])]);
  const port = /^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
  if (!port) throw new Error(`${program} ${args.join(" ")}: ${line}`);
  lines.on("line", (more) => console.error(more));
  process.on("exit", () => child.kill("SIGKILL"));
  return {
    port: Number(port),
    // stop ends the server as an init system does and returns its exit status.
    async stop() {
      child.kill("SIGTERM");
      return (await exited)[0];
    },
  };
}

// proxy passes bytes on to a port and counts them. It keeps the first line of each answer. If it has
// a document, it answers requests that are no WebSocket handshake with the document.
export async function proxy(port, document) {
  const seen = { up: 0, down: 0, answers: [] };
  const pass = (client, first) => {
    const upstream = net.connect(port, "127.0.0.1");
    client.on("data", (octets) => { seen.up += octets.length; });
    upstream.once("data", (octets) => seen.answers.push(octets.toString("latin1").split("\r\n", 1)[0]));
    upstream.on("data", (octets) => { seen.down += octets.length; });
    for (const socket of [client, upstream]) socket.on("error", () => { client.destroy(); upstream.destroy(); });
    upstream.write(first);
    client.pipe(upstream).pipe(client);
  };
  const server = net.createServer((client) => {
    client.on("error", () => client.destroy());
    client.once("data", (first) => {
      if (!document || /^upgrade: *websocket/im.test(first.toString("latin1"))) return pass(client, first);
      client.end(`HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n${document}`);
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { seen, port: server.address().port, close: () => server.close() };
}

let failed = 0;

// step runs and reports one check. A failure does not stop the later checks.
export async function step(name, check) {
  const started = performance.now();
  try {
    const found = await check();
    console.log(`ok    ${name}${found ? `: ${found}` : ""} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}: ${error.stack}`);
  }
}

export function finish() {
  process.exitCode = failed ? 1 : 0;
}
