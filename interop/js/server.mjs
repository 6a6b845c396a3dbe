// Server processes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const running = new Set();
process.on("exit", () => { for (const child of running) child.kill("SIGKILL"); });

// start runs a command that says "listening on http://127.0.0.1:port" on standard error.
export async function start(command, ...flags) {
  const [program, ...args] = [...command, ...flags];
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "pipe"] });
  running.add(child);
  const exited = once(child, "exit").finally(() => running.delete(child));
  const lines = createInterface(child.stderr);
  const [line] = await Promise.race([once(lines, "line"), exited.then(() => ["it ended at once"])]);
  const port = /^listening on http:\/\/127\.0\.0\.1:(\d+)$/.exec(line)?.[1];
  if (!port) throw new Error(`${program} ${args.join(" ")}: ${line}`);
  lines.on("line", (more) => console.error(`      ${more}`));

  // end returns the exit status, or the signal that ended it.
  const end = async (signal) => {
    child.kill(signal);
    const [status, by] = await exited;
    return status ?? by;
  };
  return {
    port: Number(port),
    stop: () => end("SIGTERM"), // as an init system does
    kill: () => end("SIGKILL"),
  };
}
