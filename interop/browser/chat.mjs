// Chromium against examples/chat: the chat's page, the same page with WebSocket blocked, and
// examples/react from another origin.   node chat.mjs PROGRAM FOLDER-FOR-SCREENSHOTS
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { proxy } from "../js/proxy.mjs";
import { browser, finish, limit, serve, step } from "./harness.mjs";

const [program, pictures] = process.argv.slice(2);
limit(240);
const chromium = await browser();

// open opens a tab in which a person has joined a room.
async function open(context, url, name, room) {
  const page = await context.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(error.message));
  await page.goto(url);
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("Room").fill(room);
  await page.getByRole("button", { name: "Join" }).click();
  const status = page.getByRole("status");
  const bubbles = page.getByRole("log").locator(".bubble");
  return {
    page, name, errors,
    status: (text) => status.filter({ hasText: text }).waitFor(),
    heard: (text) => bubbles.getByText(text, { exact: true }).waitFor(),
    texts: () => bubbles.allTextContents(),
    // sees waits until the list of people equals the given one.
    async sees(...people) {
      await page.waitForFunction((want) => {
        const list = [...document.querySelectorAll("[aria-label=People] li span:nth-child(2)")];
        return list.map((each) => each.textContent).join() === want;
      }, people.join(), { polling: 50 });
    },
    async say(text) {
      await page.getByLabel("Message", { exact: true }).fill(text);
      await page.keyboard.press("Enter");
      await bubbles.getByText(text, { exact: true }).waitFor();
    },
  };
}

const markup = "<b>not markup</b> & \"so on\": žluťoučký kůň, いろは, 🦊";

// conversation checks the parts that must work everywhere. It returns the tabs for further checks.
async function conversation({ url, transport, check, restart, picture }) {
  const context = await chromium.newContext({ viewport: { width: 1180, height: 760 }, colorScheme: "light" });
  const door = await context.newPage();
  await door.goto(url);
  await door.getByRole("button", { name: "Join" }).waitFor();
  await door.screenshot({ path: `${pictures}/${picture}-door.png`, animations: "disabled" });
  await door.close();
  const ann = await open(context, url, "Ann Lee", "lobby");
  const bob = await open(context, url, "Bob", "lobby");
  const eve = await open(context, url, "Eve", "kitchen");
  const everybody = [ann, bob, eve];

  await check(`everybody is connected over ${transport}`, async () => {
    for (const each of everybody) await each.status(transport);
  });
  await check("each room shows who is in it", async () => {
    await ann.sees("Ann Lee", "Bob");
    await bob.sees("Ann Lee", "Bob");
    await eve.sees("Eve");
  });
  await check("a message reaches the others in the room", async () => {
    const list = ["Morning! Is the Go server up?", "It is, and the front end did not change.", markup];
    for (const [from, to, text] of [[ann, bob, list[0]], [bob, ann, list[1]], [ann, bob, list[2]]]) {
      await from.say(text);
      await to.heard(text);
    }
    assert.deepEqual(await ann.texts(), list);
    assert.deepEqual(await bob.texts(), list);
  });
  await check("pictures", async () => {
    await bob.page.getByLabel("Message", { exact: true }).fill("Sent by the button");
    await bob.page.getByRole("button", { name: "Send" }).click();
    const last = "A network that blocks WebSocket? It stays on long-polling, and works the same.";
    await bob.say(last);
    await ann.heard(last);
    await ann.say("Lovely.");
    await bob.heard("Lovely.");
    await ann.page.bringToFront();
    for (const colorScheme of ["light", "dark"]) {
      await ann.page.emulateMedia({ colorScheme });
      await ann.page.screenshot({ path: `${pictures}/${picture}-${colorScheme}.png`, animations: "disabled" });
    }
    await ann.page.setViewportSize({ width: 390, height: 760 });
    await ann.page.screenshot({ path: `${pictures}/${picture}-narrow.png`, animations: "disabled" });
    await ann.page.setViewportSize({ width: 1180, height: 760 });
  });
  await check("messages in a row arrive in order, once", async () => {
    const before = await ann.texts();
    const list = Array.from({ length: 20 }, (_, i) => `Number ${i}`);
    for (const text of list) await bob.say(text);
    await ann.heard(list.at(-1));
    assert.deepEqual(await ann.texts(), [...before, ...list]);
  });
  await check("nothing reached the other room", async () => {
    // Bob moves there. An earlier message to Eve would arrive before his message.
    await bob.page.getByRole("button", { name: "Leave" }).click();
    await ann.sees("Ann Lee");
    const moved = await open(context, url, "Bob", "kitchen");
    await eve.sees("Bob", "Eve");
    await moved.say("Anybody here?");
    await eve.heard("Anybody here?");
    assert.deepEqual(await eve.texts(), ["Anybody here?"]);
    assert.ok(!(await ann.texts()).includes("Anybody here?"));
    everybody.push(moved);
  });
  await check("the server is restarted: all are back, in their rooms", async () => {
    const [, , , moved] = everybody;
    await restart(() => Promise.all([ann, eve, moved].map((each) => each.status("Reconnecting"))));
    for (const each of [ann, eve, moved]) await each.status(transport);
    await ann.sees("Ann Lee");
    await eve.sees("Bob", "Eve");
    await eve.say("Back again");
    await moved.heard("Back again");
    assert.ok(!(await ann.texts()).includes("Back again"));
  });
  await check("a closed tab leaves its room", async () => {
    await everybody[3].page.close();
    await eve.sees("Eve");
  });
  await check("no page has failed", () => assert.deepEqual(everybody.flatMap(({ errors }) => errors), []));
  await context.close();
}

// restarting returns a server behind a proxy, and a function that restarts the server.
async function restarting(...flags) {
  let server = await serve(program, ...flags);
  const between = await proxy(server.port);
  return {
    between,
    url: `http://127.0.0.1:${between.port}/`,
    async restart(whileAway) {
      assert.equal(await server.stop(), 0);
      await whileAway();
      server = await serve(program, ...flags);
      between.to(server.port);
    },
    async end() {
      between.close();
      await server.stop();
    },
  };
}

async function ownPage(name, blocked) {
  const site = await restarting();
  if (blocked) site.between.blockWebSocket();
  const check = (what, how) => step(`${name}: ${what}`, how);
  await conversation({ ...site, check, transport: blocked ? "long-polling" : "WebSocket", picture: blocked ? "blocked" : "chat" });
  if (blocked) {
    await check("WebSocket was tried and refused", () => {
      assert.ok(site.between.refused >= 3);
      return `${site.between.refused} times`;
    });
  }
  await site.end();
}

// react builds examples/react for the address of a server and serves it from another origin.
async function react() {
  const root = fileURLToPath(new URL("../../examples/react", import.meta.url));
  const { build, preview } = await import(pathToFileURL(createRequire(`${root}/package.json`).resolve("vite")));
  const stranger = await restarting();
  const outDir = fileURLToPath(new URL("../../.out/browser/react", import.meta.url));
  const options = { root, logLevel: "warn", build: { outDir, emptyOutDir: true } };

  process.env.VITE_SERVER = stranger.url;
  await build(options);
  const page = await preview({ ...options, preview: { host: "127.0.0.1", port: 0 } });
  const url = `http://127.0.0.1:${page.httpServer.address().port}`;
  const check = (what, how) => step(`react: ${what}`, how);
  await check("an origin that is not in the list is refused", async () => {
    const context = await chromium.newContext();
    const tab = await context.newPage();
    const refusal = tab.waitForEvent("console", (message) => /blocked by CORS policy/.test(message.text()));
    await tab.goto(url);
    await tab.getByLabel("Name").fill("Ann");
    await tab.getByRole("button", { name: "Join" }).click();
    await refusal;
    assert.match(await tab.getByRole("status").textContent(), /Reconnecting/);
    await context.close();
  });
  await stranger.end();

  const site = await restarting("-origin", url);
  process.env.VITE_SERVER = site.url;
  await build(options);
  await conversation({ ...site, url, check, transport: "WebSocket", picture: "react" });
  await site.end();
  await page.close();
}

await ownPage("page", false);
await ownPage("page, WebSocket blocked", true);
await react();
await chromium.close();
finish();
