// JavaScript clients of Socket.IO for the soak: a third on each transport, and a third that
// begin on polling and move. They check numbers as sequence.go does.
// Commands and answers are lines of JSON, as package proc has them.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { join } from "node:path";

const { io } = createRequire(join(process.argv[2], "package.json"))("client-4.8");
const pad = "a message that is worth compressing; ".repeat(5);
const interval = 5000;

class Sequence {
  next = undefined;
  missing = new Set();
  Lost = 0;
  Doubled = 0;
  Swapped = 0;
  must(n) { this.next ??= n; }
  add(n) {
    this.must(n);
    if (n >= this.next) {
      this.skip(n);
      this.next = n + 1;
    } else if (this.missing.delete(n)) {
      this.Lost--;
      this.Swapped++;
    } else {
      this.Doubled++;
    }
  }
  skip(n) {
    for (let i = this.next; i < n; i++) {
      this.missing.add(i);
      this.Lost++;
    }
  }
  complete(n) { return this.next >= n; }
  end(n) {
    this.must(0);
    this.skip(n);
  }
}

const clients = [];
const wrong = [];
let echoes = 0;
let casts = 0;

function connect({ url, clients: count, room }) {
  const transports = [["websocket"], ["polling"], ["polling", "websocket"]];
  const joined = [];
  for (let i = 0; i < count; i++) {
    const socket = io(url, { forceNew: true, transports: transports[i % 3], auth: { room } });
    const client = { socket, sent: 0, echo: new Sequence(), cast: new Sequence() };
    clients.push(client);
    socket.on("echo", ({ n, pad: got }) => {
      echoes++;
      client.echo.add(n);
      if (got !== pad) wrong.push("a message was changed");
    });
    socket.on("cast", ({ n }) => {
      casts++;
      client.cast.add(n);
    });
    socket.on("disconnect", (reason) => wrong.push(`ended: ${reason}`));
    socket.on("connect_error", (error) => wrong.push(`not connected: ${error.message}`));
    joined.push(new Promise((resolve) => {
      socket.on("joined", () => {
        client.echo.must(0);
        client.cast.must(0); // nothing is published before all are there
        resolve();
      });
    }));
    client.timer = setInterval(() => {
      if (socket.connected) socket.emit("echo", { n: client.sent++, at: 0, pad });
    }, interval);
  }
  return Promise.all(joined).then(() => true);
}

async function drain({ published }) {
  for (const { timer } of clients) clearInterval(timer);
  const complete = () => clients.every((c) => c.echo.complete(c.sent) && c.cast.complete(published));
  for (const end = Date.now() + 30_000; !complete() && Date.now() < end;) {
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
  const tally = { Lost: 0, Doubled: 0, Swapped: 0, Echoes: echoes, Casts: casts, Wrong: wrong };
  for (const c of clients) {
    c.echo.end(c.sent);
    c.cast.end(published);
    for (const fault of ["Lost", "Doubled", "Swapped"]) tally[fault] += c.echo[fault] + c.cast[fault];
    c.socket.off("disconnect").disconnect();
  }
  return tally;
}

const commands = { connect, drain };
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
answer({ value: process.version });
createInterface({ input: process.stdin }).on("line", async (line) => {
  const { name, args } = JSON.parse(line);
  try {
    answer({ value: await commands[name](args) });
  } catch (error) {
    answer({ error: String(error) });
  }
}).on("close", () => process.exit());
