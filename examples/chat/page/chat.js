// The chat page: it shows the events of the server.
import { Socket } from "./socket.js";

const $ = (id) => document.getElementById(id);
const url = new URL("socket.io/", location.origin).href;
const animals = ["Otter", "Heron", "Lynx", "Marten", "Robin", "Badger", "Osprey", "Hare", "Newt", "Wren"];

let socket;
let room = "";
let people = [];
let last = {}; // whose message is the last in the list
let typingTimer, typedAt = 0;

// The form with which one joins a room.

$("name").value = sessionStorage.name ?? animals[Math.floor(Math.random() * animals.length)];
$("room").value = decodeURIComponent(location.hash.slice(1)) || "lobby";

$("enter").onsubmit = (event) => {
  event.preventDefault();
  const name = $("name").value.trim();
  room = $("room").value.trim();
  if (!name || !room) return;
  sessionStorage.name = name;
  location.hash = encodeURIComponent(room);
  document.title = `#${room} · Parley chat`;
  $("title").textContent = room;
  $("text").placeholder = `Message #${room}`;
  $("welcome").hidden = true;
  $("chat").hidden = false;
  $("text").focus();
  connect(name);
};

$("leave").onclick = () => location.reload();

// The connection.

function connect(name) {
  socket = new Socket(url, { name });
  status("Connecting…");
  socket.on("connect", () => {
    status(online(), true);
    socket.emit("join-room", room, ({ error }) => note(error ? `#${room}: ${error}` : `You are in #${room} as ${name}`));
  });
  socket.on("upgrade", () => status(online(), true));
  socket.on("disconnect", () => {
    status("Reconnecting…");
    note("Connection lost");
    for (const sending of document.querySelectorAll(".sending")) sending.className += " lost";
  });
  socket.on("people", (where, list) => { if (where === room) showPeople(list); });
  socket.on("receive-message", (text, from) => { say(from, text); typing(); });
  socket.on("typing", (from) => typing(from));
}

const online = () => `Connected · ${socket.transport === "websocket" ? "WebSocket" : "long-polling"}`;

function status(text, isOnline = false) {
  $("status").textContent = text;
  $("status").classList.toggle("online", isOnline);
}

$("composer").onsubmit = (event) => {
  event.preventDefault();
  const message = $("text").value.trim();
  if (!message) return;
  $("text").value = "";
  const shown = say({ id: "me" }, message);
  shown.classList.add("sending");
  socket.emit("message", { room, message }, ({ error }) => {
    if (error) return note(`Not sent: ${error}`);
    shown.classList.remove("sending", "lost");
  });
};

$("text").oninput = () => {
  if (performance.now() - typedAt < 1000) return;
  typedAt = performance.now();
  socket.emit("typing", room);
};

// The display. Text from other people is only ever set as textContent.

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

// hue gives each name a colour. Similar names get different colours.
const hue = (name) => [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) * 137.5 % 360;

function avatar(name) {
  const made = element("span", "avatar", name.split(/\s+/).map((word) => [...word][0]).join("").slice(0, 2).toUpperCase());
  made.style.setProperty("--hue", hue(name));
  return made;
}

function showPeople(list) {
  const names = (some) => some.map(({ name }) => name).join(", ");
  const missing = (these, from) => these.filter(({ id }) => id !== socket.id && !from.some((other) => other.id === id));
  if (people.some(({ id }) => id === socket.id)) { // else we have only just come
    const came = missing(list, people), went = missing(people, list);
    if (came.length) note(`${names(came)} joined`);
    if (went.length) note(`${names(went)} left`);
  }
  people = list;
  $("count").textContent = list.length;
  $("people").replaceChildren(...list.map(({ id, name }) => element("li", "",
    avatar(name), element("span", "", name), ...(id === socket.id ? [element("small", "", "you")] : []))));
}

// say shows a message. Those that follow one of the same person within two minutes stand close.
function say({ id, name }, text) {
  const now = Date.now();
  const first = last.id !== id || now - last.at > 120_000;
  last = { id, at: now };
  const own = id === "me";
  const li = element("li", `${own ? "own" : ""} ${first ? "first" : ""}`);
  if (first) {
    const time = element("time", "", new Date(now).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    li.append(element("div", "who", own ? "" : name, time));
  }
  if (first && !own) li.append(avatar(name));
  li.append(element("div", "bubble", text));
  return show(li);
}

function note(text) {
  last = {};
  show(element("li", "note", text));
}

function show(li) {
  $("messages").append(li);
  li.scrollIntoView({ block: "end" });
  return li;
}

// The last message stays in sight when the window changes, as it does for a keyboard.
new ResizeObserver(() => $("messages").lastElementChild?.scrollIntoView({ block: "end" })).observe($("messages"));

function typing(from) {
  clearTimeout(typingTimer);
  $("typing").textContent = from ? `${from.name} is typing…` : "";
  if (from) typingTimer = setTimeout(typing, 2500);
}
