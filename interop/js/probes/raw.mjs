// Requests and packets as octets.
import http from "node:http";
import { once } from "node:events";
import { WebSocket } from "ws";

export const separator = "\x1e";

// request sends one HTTP request and resolves to its response.
export function request(server, path, { method = "GET", headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port: server.port, host: "127.0.0.1", path, method, headers, agent: false }, async (response) => {
      const chunks = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() });
    });
    request.on("error", reject);
    request.on("upgrade", ({ statusCode, headers }, socket) => {
      socket.destroy();
      resolve({ status: statusCode, headers, body: "" });
    });
    request.setTimeout(3000, () => request.destroy(new Error("no answer")));
    request.end(body);
  });
}

export const polling = "/socket.io/?EIO=4&transport=polling";

// open starts a session on polling that has joined a namespace, and resolves to its path.
export async function open(server, namespace = "") {
  const { body } = await request(server, polling);
  const path = `${polling}&sid=${JSON.parse(body.slice(1)).sid}`;
  await post(server, path, `40${namespace}`);
  await get(server, path);
  return path;
}

export const post = (server, path, body) => request(server, path, { method: "POST", body });

// get polls once, and gives up after a while.
export const get = async (server, path) => {
  const late = new Promise((resolve) => setTimeout(() => resolve({ status: 0, body: "nothing came" }), 1000).unref());
  const { status, body } = await Promise.race([request(server, path), late]);
  return { status, body };
};

// socket opens a WebSocket, and resolves to it once its first message or its refusal has come.
export async function socket(server, { path = "/socket.io/?EIO=4&transport=websocket", protocols = [], ...options } = {}) {
  const ws = new WebSocket(`ws://127.0.0.1:${server.port}${path}`, protocols, options);
  ws.messages = [];
  ws.on("message", (data) => ws.messages.push(data.toString()));
  ws.on("error", () => {});
  ws.refused = 0;
  ws.ended = once(ws, "close").then(([code]) => code);
  const turnedAway = once(ws, "unexpected-response").then(([request, response]) => {
    ws.refused = response.statusCode;
    request.destroy();
  });
  await Promise.race([once(ws, "message"), ws.ended, turnedAway]);
  return ws;
}

// until resolves once a function gives something true.
export async function until(f) {
  for (const end = Date.now() + 3000; Date.now() < end;) {
    const value = await f();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return "it did not happen";
}
