// The client's script, which the server serves.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

export const checks = [
  {
    name: "socket.io.js is served, with its ETag",
    once: true,
    async run(t) {
      for (const name of ["socket.io.js", "socket.io.min.js", "socket.io.esm.min.js.map"]) {
        const url = `http://127.0.0.1:${t.server.port}/socket.io/${name}`;
        const answer = await fetch(url);
        assert.equal(answer.status, 200);
        assert.equal(await answer.text(), await readFile(new URL(`../node_modules/socket.io/client-dist/${name}`, import.meta.url), "utf8"));
        const again = await fetch(url, { headers: { "If-None-Match": answer.headers.get("ETag") } });
        assert.equal(again.status, 304);
        await again.text();
      }
    },
  },
];
