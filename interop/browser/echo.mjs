// Chromium against examples/echo.   node echo.mjs PROGRAM FOLDER-FOR-SCREENSHOTS
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import * as inPage from "./page.mjs";
import { browser, finish, limit, proxy, serve, step } from "./harness.mjs";

const [program, pictures] = process.argv.slice(2);
const lengths = [0, 1, 125, 126, 127, 4095, 4096, 65535, 65536, 65537, 500_000, 2 ** 20 - 1, 2 ** 20];
limit(180);
const chromium = await browser();

// withServer starts a server with the flags and runs checks on its page.
async function withServer(flags, checks) {
  const server = await serve(program, ...flags);
  // With -raw the server has no page. The proxy serves one, so that its origin is the same.
  const between = await proxy(server.port, flags.includes("-raw") && "<!doctype html><title>raw</title>");
  const context = await chromium.newContext();
  const page = await context.newPage();
  const http = `http://127.0.0.1:${between.port}/`;
  await page.goto(http);
  const name = flags.join(" ") || "plain";
  await checks({
    page, server, http, url: http.replace("http", "ws") + "any/path?at=all", seen: between.seen,
    check: (what, how) => step(`${name}: ${what}`, how),
  });
  await context.close();
  await server.stop();
  between.close();
}

function clean(event, code, reason = "") {
  assert.deepEqual(event, { code, reason, wasClean: true });
  return `${code} ${JSON.stringify(reason)}`;
}

// messages checks the parts that must work with every set of flags.
async function messages({ page, url, check }) {
  await check("text of every code point", () => page.evaluate(inPage.everyCodePoint, url));
  await check("binary", () => page.evaluate(inPage.binary, { url, lengths }));
}

async function closes({ page, url, check }) {
  for (const args of [[], [1000, "bye"], [3000], [4999, "žlutý kůň 🦊"]]) {
    await check(`close(${args.map((arg) => JSON.stringify(arg)).join(", ")})`, async () =>
      clean(await page.evaluate(inPage.closing, { url, args }), args[0] ?? 1005));
  }
  await check("a message over the limit", async () => {
    const event = await page.evaluate(inPage.closing, { url, size: 2 ** 20 + 1 });
    assert.equal(event.code, 1009);
    return JSON.stringify(event.reason);
  });
}

// sigterm must be the last check, because it ends the server.
async function sigterm({ page, server, url, check }) {
  await check("SIGTERM", async () => {
    await page.evaluate(inPage.open, { url, n: 3 });
    const status = await server.stop();
    const events = await page.evaluate(() => window.endings);
    assert.equal(status, 0);
    for (const event of events) {
      assert.equal(event.code, 1001);
      assert.ok(event.wasClean);
    }
    return `1001 ${JSON.stringify(events[0].reason)}, exit status ${status}`;
  });
}

// wire counts the bytes on the wire when the same 70,000 bytes are echoed ten times.
async function wire({ page, url, seen, check }, deflated) {
  await check(deflated ? "deflate is agreed on and used" : "deflate is off", async () => {
    const text = "parley ".repeat(10_000);
    const before = { ...seen };
    const extensions = await page.evaluate(inPage.repeat, { url, text, n: 10 });
    const up = seen.up - before.up;
    const down = seen.down - before.down;
    if (deflated) {
      assert.match(extensions, /^permessage-deflate/);
      assert.ok(up < 20_000 && down < 20_000, `${up} octets up, ${down} down`);
    } else {
      assert.equal(extensions, "");
      assert.ok(up > 700_000 && down > 700_000, `${up} octets up, ${down} down`);
    }
    return `${JSON.stringify(extensions)}, 700,000 octets are ${up} up and ${down} down`;
  });
}

async function otherOrigin({ page, url, seen, check }) {
  await check("another origin is refused", async () => {
    const event = await page.evaluate(inPage.closing, { url: url.replace("127.0.0.1", "localhost") });
    assert.equal(event.code, 1006);
    assert.match(seen.answers.at(-1), /^HTTP\/1\.1 403 /);
    return seen.answers.at(-1);
  });
}

// byHand uses the page as a person does.
async function byHand({ page, check }, picture) {
  await check("the page", async () => {
    const errors = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.reload();
    await page.getByRole("status").filter({ hasText: /^open/ }).waitFor();
    for (const text of ["Hello, Parley", "Žluťoučký kůň, いろは, 🦊", "<b>not markup</b> & so on, in a line that is long enough to be broken where the card ends"]) {
      await page.getByLabel("Message").fill(text);
      await page.getByRole("button", { name: "Send" }).click();
      await page.locator("#log .received").getByText(text, { exact: true }).waitFor();
    }
    await page.getByRole("button", { name: "Close" }).click();
    await page.getByText("closed: 1000").waitFor();
    await page.getByRole("button", { name: "Connect" }).click();
    await page.getByRole("status").filter({ hasText: /^open/ }).waitFor();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${pictures}/${picture}-${colorScheme}.png` });
    }
    await page.setViewportSize({ width: 360, height: 640 });
    await page.screenshot({ path: `${pictures}/${picture}-narrow.png` });
    assert.deepEqual(errors, []);
  });
}

await withServer([], async (t) => {
  await byHand(t, "echo");
  await messages(t);
  await wire(t, false);
  await closes(t);
  await otherOrigin(t);
  await sigterm(t);
});
await withServer(["-deflate"], async (t) => {
  await byHand(t, "echo-deflate");
  await messages(t);
  await wire(t, true);
  await closes(t);
  await sigterm(t);
});
await withServer(["-raw", "-deflate"], async (t) => {
  await messages(t);
  await wire(t, true);
  await closes(t);
  await otherOrigin(t);
  await sigterm(t);
});
await withServer(["-keepalive", "1s"], async (t) => {
  await t.check("survives 5 s of silence", async () => {
    await t.page.evaluate(inPage.open, { url: t.url, n: 1 });
    const before = { ...t.seen };
    await sleep(5000);
    const up = t.seen.up - before.up;
    const down = t.seen.down - before.down;
    // At least two pings of two bytes and their masked pongs.
    assert.ok(down >= 2 * 2 && up >= 2 * 6, `${down} octets down, ${up} up: no pings and pongs`);
    const echoed = await t.page.evaluate(() => new Promise((resolve, reject) => {
      const [socket] = window.sockets;
      socket.onmessage = ({ data }) => resolve(data);
      window.endings.then(() => reject(new Error("closed")));
      socket.send("still here");
    }));
    assert.equal(echoed, "still here");
    return `${down} octets of pings, ${up} of pongs`;
  });
});
await withServer(["-max", "1000"], async ({ page, url, check }) => {
  await check("the limit holds", async () => {
    await page.evaluate(inPage.binary, { url, lengths: [1000] });
    assert.equal((await page.evaluate(inPage.closing, { url, size: 1001 })).code, 1009);
  });
});
await chromium.close();
finish();
