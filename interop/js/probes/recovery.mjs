// What a client finds that comes back after a moment.
import { io } from "client-4.8";
import { ask, next } from "../clients.mjs";

// away cuts a connection, comes back when f is done, and resolves to what "later" has brought and to
// what middleware saw.
async function away(server, ...before) {
  const socket = io(`http://127.0.0.1:${server.port}/`, {
    forceNew: true, transports: ["websocket"], reconnectionDelay: 400, reconnectionDelayMax: 400, randomizationFactor: 0,
  });
  const got = [];
  socket.on("late", (x) => got.push(x));
  const [{ id }] = await next(socket, "hello");
  await ask(socket, "join", ["kept"]);
  for (const args of before) socket.emit(...args);
  await ask(socket, "who");
  const back = next(socket, "connect");
  socket.io.engine.close();
  await back;
  const [seen] = await ask(socket, "seen");
  const [{ rooms }] = await ask(socket, "who");
  const result = { recovered: socket.recovered, got, same: socket.id === id, inRoom: rooms.includes("kept"), seen };
  socket.disconnect();
  return result;
}

export const probes = [
  { name: "recovery: an event to the socket while it was away", flags: ["--recovery"], run: (server) => away(server, ["later", 150, "late", 1]) },
  { name: "recovery: nothing was missed", flags: ["--recovery"], run: (server) => away(server) },
  { name: "recovery: middleware runs again", flags: ["--recovery", "--middleware"], run: (server) => away(server) },
  { name: "no recovery", run: (server) => away(server, ["later", 150, "late", 1]) },
];
