// What an HTTP client can see.
import { get, open, polling, post, request, socket } from "./raw.mjs";

const origins = ["https://app.example", "file://", "capacitor://localhost", "chrome-extension://abc"];
const withOrigins = ["--origins", origins.join(",")];
const file = "/socket.io/socket.io.js";
const status = (path, options) => async (server) => (await request(server, path, options)).status;
const cookie = async (server) => {
  const [line] = (await request(server, polling)).headers["set-cookie"];
  return line.replace(/=[^;]*/, "=SID");
};

// preflight returns the fields of an answer to one.
async function preflight(server, method) {
  const { status, headers } = await request(server, polling, {
    method: "OPTIONS", headers: { Origin: origins[0], "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "x-a" },
  });
  return [status, headers["access-control-allow-methods"], headers["access-control-allow-headers"]];
}

export const probes = [
  { name: "the path without its slash", run: status("/socket.io?EIO=4&transport=polling"), parley: 200 },
  { name: "the path with more after it", run: status("/socket.io/more/?EIO=4&transport=polling"), parley: 404 },
  { name: "another path", run: status("/other"), },
  { name: "no EIO", run: status("/socket.io/?transport=polling") },
  { name: "EIO of 3", run: async (server) => (await request(server, "/socket.io/?EIO=3&transport=polling")).body },
  { name: "a POST that opens", run: async (server) => (await request(server, polling, { method: "POST" })).body },
  { name: "a PUT that opens", run: async (server) => (await request(server, polling, { method: "PUT" })).body },
  { name: "a HEAD that opens", run: status(polling, { method: "HEAD" }) },
  { name: "an unknown sid", run: async (server) => (await request(server, `${polling}&sid=abc`)).body },
  { name: "an unknown transport", run: async (server) => (await request(server, "/socket.io/?EIO=4&transport=tube")).body },
  {
    name: "polling with an Upgrade field",
    run: status(polling, { headers: { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" } }),
    parley: 400,
  },
  { name: "a POST without EIO in a session", run: async (server) => (await post(server, (await open(server)).replace("EIO=4&", ""), "40")).status },
  { name: "a PUT in a session", run: async (server) => (await request(server, await open(server), { method: "PUT" })).status, parley: 400 },
  {
    name: "a POST over the limit, and the GET after it", flags: ["--max-payload", "1000"],
    async run(server) {
      const path = await open(server);
      const { status } = await post(server, path, `42["e","${"x".repeat(2000)}"]`);
      await post(server, path, '42["echo",1]');
      return [status, (await get(server, path)).body.includes("echo") ? "goes on" : "over"];
    },
    parley: [413, "over"],
  },

  { name: "CORS: each scheme", flags: withOrigins, run: (server) => Promise.all(origins.map(async (Origin) => (
    await request(server, polling, { headers: { Origin } })).headers["access-control-allow-origin"])) },
  { name: "CORS: a strange origin on polling", flags: withOrigins, run: async (server) => {
    const { status, headers } = await request(server, polling, { headers: { Origin: "https://evil.example" } });
    return [status, headers["access-control-allow-origin"] ?? null];
  } },
  { name: "CORS: each scheme on WebSocket", flags: withOrigins, run: (server) => Promise.all(
    origins.map(async (origin) => (await socket(server, { origin })).refused)) },
  { name: "CORS: a strange origin on WebSocket", flags: withOrigins, parley: 403, run: async (server) => (
    (await socket(server, { origin: "https://evil.example" })).refused) },
  { name: "CORS: preflight", flags: withOrigins, run: (server) => preflight(server, "POST"), parley: [204, "GET,POST", "x-a"] },
  { name: "CORS: OPTIONS without CORS", run: status(polling, { method: "OPTIONS" }) },

  { name: "a cookie", flags: ["--cookie", "node"], run: cookie },
  { name: "polling only", flags: ["--transports", "polling"], run: async (server) => {
    const { body } = await request(server, polling);
    return [JSON.parse(body.slice(1)).upgrades, (await socket(server)).refused];
  } },
  { name: "WebSocket only", flags: ["--transports", "websocket"], run: async (server) => [
    (await request(server, polling)).body, (await socket(server)).messages.length] },
  { name: "no upgrades", flags: ["--no-upgrades"], run: async (server) => (
    JSON.parse((await request(server, polling)).body.slice(1)).upgrades) },
  { name: "a subprotocol", run: async (server) => (await socket(server, { protocols: ["my.token", "other"] })).protocol },

  { name: "the client's script", run: async (server) => {
    const { status, headers } = await request(server, file);
    return [status, headers["content-type"], headers["cache-control"], headers.etag?.length > 2];
  } },
  { name: "the client's script, not modified", run: async (server) => {
    const { headers } = await request(server, file);
    return (await request(server, file, { headers: { "If-None-Match": headers.etag } })).status;
  } },
  { name: "the client's script, compressed", run: async (server) => (
    (await request(server, file, { headers: { "Accept-Encoding": "gzip, br" } })).headers["content-encoding"] ?? null), parley: null },
  { name: "a script that there is not", run: status("/socket.io/other.js"), parley: 404 },
];
