// Compares docs/from-node.md with the types of the npm packages socket.io and socket.io-client: a public
// method, property, event or option must stand in the first column of one of its tables, and what stands
// there must exist. The tables about the client have a heading of their own.
//
// A cell lists what it is about as code. What begins with io, socket, remote and so on says what it
// belongs to, and so does it for the names after it in the cell; names without any are options.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const local = (path) => fileURLToPath(new URL(path, import.meta.url));
const dist = (name) => `node_modules/socket.io/dist/${name}.d.ts`;
const build = (name) => `node_modules/engine.io/build/${name}.d.ts`;

const client = (name) => `node_modules/client-4.8/build/esm/${name}.d.ts`;
const emitter = ["node_modules/@socket.io/component-emitter/lib/cjs/index.d.ts", "Emitter"];

// By what tables are about, and what a cell begins with: the types whose members belong there.
const pages = {
  JavaScript: {
    io: [[dist("index"), "Server"], [dist("namespace"), "Namespace"], [dist("parent-namespace"), "ParentNamespace"],
      [dist("broadcast-operator"), "BroadcastOperator"], [dist("typed-events"), "StrictEventEmitter"]],
    "io.engine": [[build("server"), "BaseServer"], [build("server"), "Server"]],
    socket: [[dist("socket"), "Socket"], [dist("typed-events"), "StrictEventEmitter"]],
    "socket.client": [[dist("client"), "Client"]],
    "socket.conn": [[build("socket"), "Socket"]],
    "socket.handshake": [[dist("socket-types"), "Handshake"]],
    remote: [[dist("broadcast-operator"), "RemoteSocket"]],
    option: [[dist("index"), "ServerOptions"], [build("server"), "ServerOptions"], [build("server"), "AttachOptions"],
      ["node_modules/@types/cors/index.d.ts", "CorsOptions"]],
    "io event": [[dist("namespace"), "ServerReservedEventsMap"], [dist("namespace"), "NamespaceReservedEventsMap"]],
    "socket event": [[dist("socket-types"), "SocketReservedEventsMap"], [dist("socket-types"), "EventEmitterReservedEventsMap"]],
  },
  "JavaScript client": {
    socket: [[client("socket"), "Socket"], emitter],
    "socket.io": [[client("manager"), "Manager"]],
    option: [[client("socket"), "SocketOptions"], [client("manager"), "ManagerOptions"],
      ["node_modules/client-4.8/node_modules/engine.io-client/build/esm/socket.d.ts", "SocketOptions"]],
    "socket event": [[client("socket"), "SocketReservedEvents"]],
    "socket.io event": [[client("manager"), "ManagerReservedEvents"]],
  },
};
// By what a cell begins with: names from Node's EventEmitter, which the types do not repeat.
const inherited = { io: ["off"], socket: ["off", "send"], "io.engine": ["on"], "socket.io": ["on"] };

// members returns the names of a type's public members, and of the members of an option that is an object.
function members(file, type) {
  const found = [];
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected;
  const add = (list) => {
    for (const member of list) {
      if (!member.name || ts.getCombinedModifierFlags(member) & hidden) continue;
      if (ts.getJSDocTags(member).some((tag) => tag.tagName.text === "private")) continue;
      const name = member.name.getText();
      if (!name.startsWith("_")) found.push(name);
      if (type === "ServerOptions" && member.type && ts.isTypeLiteralNode(member.type)) add(member.type.members);
    }
  };
  const visit = (node) => {
    if ((ts.isClassDeclaration(node) || ts.isInterfaceDeclaration(node)) && node.name?.text === type) add(node.members);
    else ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, readFileSync(local(file), "utf8"), ts.ScriptTarget.Latest, true));
  if (found.length === 0) throw new Error(`${file} has no ${type}`);
  return found;
}

// rows returns the first cells of the tables with a heading.
function rows(page, heading) {
  const cells = [];
  let inside = false;
  for (const line of page.split("\n")) {
    const cell = /^\| (.*?) \|/.exec(line)?.[1];
    if (line.startsWith(`| ${heading} |`)) inside = true;
    else if (!line.startsWith("|")) inside = false;
    else if (inside && cell) cells.push(cell);
  }
  return cells;
}

// mentions returns the pairs [what it belongs to, name] of a cell. The first name after an owner must
// exist, further ones of a chain may be of other types; "first" marks it.
function mentions(cell) {
  const found = [];
  let owner = "option";
  for (const [, code] of cell.matchAll(/`([^`]+)`/g)) {
    const event = /^"(\w+)"/.exec(code)?.[1];
    if (event) {
      found.push({ owner: `${owner} event`, name: event, first: owner !== "io.engine" });
      continue;
    }
    const named = /^(?:await )?(io\.engine|socket\.(?:client|conn|handshake|io)|io|socket|remote)\b(.*)$/.exec(code);
    if (!named && owner === "option") {
      for (const [name] of code.matchAll(/\w+/g)) found.push({ owner, name, first: /^\w+(:|$)/.test(code) });
      continue;
    }
    let rest = code;
    if (named) {
      [, owner, rest] = named;
      const [outer, inner] = owner.split(".");
      if (inner) found.push({ owner: outer, name: inner, first: true });
    }
    const reserved = /^\.on\("(\w+)"/.exec(rest)?.[1];
    if (reserved) found.push({ owner: `${owner} event`, name: reserved });
    [...chain(rest).matchAll(/\w+/g)].forEach(([name], i) => found.push({ owner, name, first: i === 0 }));
  }
  return found;
}

// chain drops what stands in brackets, and a value that is assigned.
function chain(code) {
  for (let before; before !== code;) {
    before = code;
    code = code.replace(/\([^()]*\)/g, "");
  }
  return code.replace(/[ (].*$/, "");
}

let failed = 0;
let count = 0;
const fail = (text) => { failed++; console.log(`FAIL  ${text}`); };
const page = readFileSync(local("../../docs/from-node.md"), "utf8");

for (const [heading, types] of Object.entries(pages)) {
  const missing = new Map(); // by owner: the names that no row has mentioned yet
  const known = new Map();
  for (const [owner, list] of Object.entries(types)) {
    const names = list.flatMap((each) => members(...each));
    missing.set(owner, new Set(names));
    known.set(owner, new Set([...names, ...inherited[owner] ?? []]));
  }
  for (const cell of rows(page, heading)) {
    if (/^`(new|next|io\(url)\b/.test(cell) && !cell.includes("`io.")) continue;
    for (const { owner, name, first } of mentions(cell.replace(/^`new Server[^`]*`, /, ""))) {
      missing.get(owner)?.delete(name);
      const exists = !known.has(owner) || known.get(owner).has(name) || name.startsWith("_");
      if (first && !exists) fail(`there is no ${name} of ${owner}: ${cell}`);
    }
  }
  for (const [owner, names] of missing) {
    count += known.get(owner).size - (inherited[owner]?.length ?? 0);
    for (const name of names) fail(`${heading}: ${name} of ${owner} has neither a row nor a place under "Left out"`);
  }
}
console.log(`${count - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
