// What a client that sends packets of its own can see.
import { ask, next } from "../clients.mjs";
import { io } from "client-4.8";
import { get, open, post, request, separator, socket, until, polling } from "./raw.mjs";

// connect opens a socket of the JavaScript client for the time of f.
async function connect(server, f, namespace = "/", options = {}) {
  const socket = io(`http://127.0.0.1:${server.port}${namespace}`, { forceNew: true, reconnection: false, ...options });
  try {
    await next(socket, "connect");
    return await f(socket);
  } finally {
    socket.disconnect();
  }
}

// stored resolves to what "store" has kept, once all that was sent before has been handled.
const stored = (server, key) => connect(server, async (socket) => (await ask(socket, "stored", key))[0]);

// sent posts packets in one request, and resolves to its status and to what the next GET brings.
const sent = (...packets) => async (server) => {
  const path = await open(server);
  const { status } = await post(server, path, packets.join(separator));
  return [status, (await get(server, path)).body];
};

let keys = 0;

// kept posts packets in which KEY stands for a key, and resolves to what "store" has kept under it.
const kept = (...packets) => async (server) => {
  const key = `key ${keys++}`;
  await post(server, await open(server), packets.join(separator).replaceAll("KEY", key));
  await new Promise((resolve) => setTimeout(resolve, 100));
  return stored(server, key);
};

// over resolves to what becomes of a WebSocket on which a message is sent.
const over = (...messages) => async (server) => {
  const ws = await socket(server);
  ws.send("40");
  await until(() => ws.messages.some((each) => each.startsWith("42[\"hello\"")));
  const before = ws.messages.length;
  for (const message of messages) ws.send(message);
  ws.send('42["echo","lives"]');
  const lives = until(() => ws.messages.slice(before).find((each) => each.includes("lives")));
  const end = await Promise.race([lives, ws.ended.then(() => "closed")]);
  ws.terminate();
  return end;
};

const base64 = Buffer.from("base64 of more than one line, as it is wrapped").toString("base64");

export const probes = [
  { name: "base64 with line breaks", run: sent('451-["echo",{"_placeholder":true,"num":0}]', `b${base64.slice(0, 30)}\r\n${base64.slice(30)}\n`) },
  { name: "an event after DISCONNECT", run: kept("41", '420["store","KEY",1]') },
  { name: "an event before DISCONNECT", run: kept('420["store","KEY",1]', "41"), parley: [1] },
  { name: "an event after the server has disconnected the socket", run: kept('42["disconnect-me",false]', '420["store","KEY",1]') },
  { name: "an event after the server has closed the connection", run: kept('42["disconnect-me",true]', '420["store","KEY",1]') },
  { name: "the goodbye to a socket that polls", run: sent('42["disconnect-me",false]') },
  { name: "the goodbye to a connection that polls", run: sent('42["disconnect-me",true]') },
  { name: "an empty binary message", run: over(Buffer.alloc(0)) },
  { name: "a binary message that nothing announced", run: over(Buffer.from("x")) },
  { name: "an empty text message", run: over("") },
  { name: "a reserved name", run: over('42["disconnect"]') },
  { name: "a CONNECT_ERROR", run: over('44{"message":"x"}') },
  { name: "an event whose arguments are an object", run: over('42{"a":1}') },
  { name: "an acknowledgement that nobody waits for", run: over('431234["x"]') },
  { name: "an event named by a number", run: over("42[1,2]") },
  { name: "a namespace without the comma", run: async (server) => {
    const ws = await socket(server);
    ws.send("40/custom");
    const answer = await until(() => ws.messages.find((each) => each.startsWith("40/custom,")));
    ws.terminate();
    return answer.replace(/"sid":"[^"]*"/, '"sid"');
  } },
  { name: "an unknown namespace", run: async (server) => {
    const ws = await socket(server);
    ws.send("40/unknown,");
    const answer = await until(() => ws.messages[1]);
    ws.terminate();
    return answer;
  } },
  { name: "a POST that is no packet", run: sent("x"), parley: [400, '{"code":1,"message":"Session ID unknown"}'] },
  { name: "a POST that is empty", run: sent(""), parley: [400, '{"code":1,"message":"Session ID unknown"}'] },
  { name: "a POST with a ping", run: sent("2"), parley: [400, '{"code":1,"message":"Session ID unknown"}'] },
  { name: "the end by the client", run: sent("1"), parley: [200, "6"] },
  { name: "a second GET while one waits", parley: [[200, "1"], [400, '{"code":3,"message":"Bad request"}']], run: async (server) => {
    const path = await open(server);
    return (await Promise.all([get(server, path), get(server, path)])).map(({ status, body }) => [status, body]).sort();
  } },
  { name: "Of with the name of a pattern, before any client", run: async (server) => {
    const name = `/dynamic-${1000 + keys++}`;
    await connect(server, async (socket) => {
      socket.emit("in-namespace", name, "news");
      await ask(socket, "who");
    });
    return connect(server, (socket) => ask(socket, "echo-ack", "served"), name);
  } },
  { name: "the sockets of a room are disconnected", run: (server) => connect(server, (a) => connect(server, (b) => (
    connect(server, async (c) => {
      const room = `room ${keys++}`;
      await Promise.all([a, b].map((socket) => ask(socket, "join", [room])));
      const gone = Promise.all([a, b].map((socket) => next(socket, "disconnect")));
      c.emit("disconnect-room", room, false);
      const reasons = (await gone).flat();
      return [reasons.filter((each) => typeof each === "string"), await ask(c, "echo-ack", "stays")];
    })))) },
  { name: "two volatile events in one turn on WebSocket", parley: 2, run: (server) => connect(server, async (socket) => {
    let count = 0;
    socket.on("maybe", () => count++);
    const end = next(socket, "volatile-end");
    socket.emit("volatile", 2);
    await end;
    return count;
  }, "/", { transports: ["websocket"] }) },
  { name: "a session without CONNECT", parley: "1", run: async (server) => {
    const { body } = await request(server, polling);
    const path = `${polling}&sid=${JSON.parse(body.slice(1)).sid}`;
    await post(server, path, '42["echo",1]');
    return (await get(server, path)).body;
  } },
];
