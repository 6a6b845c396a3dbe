"""Tests a Socket.IO server with the client for Python, for threads and for asyncio, in each mode.

    check.py [--only NAME] COMMAND...

COMMAND starts the server: ours, or Node's to show that the checks judge right. The last line of the
output counts the checks.
"""

import argparse
import asyncio
import os
import random
import signal
import time
import traceback

import socketio

from kit import MODES, Client, Server

PATIENCE = 30  # seconds for one check, which hangs only if something is wrong
# A megabyte is more in base64. The client for threads may leave without a word when it polls, and then
# waits for the answer to its GET, which is the next ping.
FLAGS = ("--max-payload", "2000000", "--ping-interval", "1000")
SIZES = (0, 1, 3, 57, 76, 1000, 100_000, 1_000_000)
EVERY_PLANE = 'žluťoučký kůň, いろは, \0\x1e\x7f\u2028, \U0001f98a, \U0010ffff, "\\/<>&'


class Kit:
    """Gives a check its clients and servers, and ends them when the check ends."""

    def __init__(self, kind, mode, command, server):
        self.kind, self.mode, self.command, self.server = kind, mode, command, server
        self.clients, self.servers = [], []

    def client(self, server=None, **options):
        client = Client(self.kind, self.mode, (server or self.server).port, **options)
        self.clients.append(client)
        return client

    async def connect(self, *namespaces, **options):
        return await self.client().connect(*namespaces, **options)

    def start(self, *flags):
        server = Server(self.command, *flags)
        self.servers.append(server)
        return server

    async def end(self):
        for client in self.clients:
            await client.end()
        for server in self.servers:
            await server.stop(signal.SIGKILL)


def same(got, want):
    if got != want:
        raise AssertionError(f"got {short(got)}, want {short(want)}")


def one_of(got, *want):
    if got not in want:
        raise AssertionError(f"got {got}, want one of {want}")


def short(value):
    text = repr(value)
    return text if len(text) < 300 else f"{text[:300]}... ({len(text)} characters)"


async def connects(t):
    client = await t.connect()
    (hello,) = await client.next("hello")
    same(client.sio.get_sid(), hello["id"])
    who = await client.ask("who")
    same((who["id"], who["rooms"]), (hello["id"], [hello["id"]]))
    same(who["transport"], "polling" if t.mode == "polling" else "websocket")
    same(client.sio.transport(), who["transport"])


async def text(t):
    client = await t.connect()
    args = (None, True, 0, -1.5e300, 2**53 - 1, "", EVERY_PLANE, [], {}, {"": [EVERY_PLANE, {"b": None}]})
    await client.emit("echo", *args)
    same(await client.next("echo"), args)
    same(await client.ask("echo-ack", *args), args)
    same(await client.ask("echo-ack"), None)
    await client.emit("echo")
    same(await client.next("echo"), ())


async def binary(t):
    client = await t.connect()
    for size in SIZES:
        data = random.randbytes(size)
        await client.emit("echo", data)
        same(await client.next("echo"), (data,))
        same(await client.ask("echo-ack", data), data)
    some = [random.randbytes(size) for size in (3, 0, 70_000)]
    args = ({"deep": [{"a": some[0], "list": [some[1], "text"]}]}, some, 1)
    await client.emit("echo", *args)
    same(await client.next("echo"), args)
    same(await client.ask("echo-ack", *args), args)


async def order(t):
    client = await t.connect()
    sent = [(i, random.randbytes(i)) if i % 3 == 0 else (i,) for i in range(200)]
    for args in sent:
        await client.emit("echo", *args)
    same([await client.next("echo") for _ in sent], sent)


async def many(t):
    client = await t.connect()
    for i in range(2000):
        await client.emit("number", i)
    same(await client.ask("numbers"), {"count": 2000, "ordered": True})
    await client.emit("flood", 0, 2000)
    same([await client.next("number") for _ in range(2000)], [(i,) for i in range(2000)])


async def server_asks(t):
    client = await t.connect()
    data = random.randbytes(1000)
    client.answers["question"] = lambda x, data: ({"x": x, "data": data}, "second")
    client.answers["nothing"] = lambda: None
    same(await client.ask("ask", 10_000, "question", {"n": 1}, data), [{"x": {"n": 1}, "data": data}, "second"])
    same(await client.ask("ask", 10_000, "nothing"), [])


async def namespaces(t):
    names = ("/", "/custom", "/dynamic-7")
    client = await t.connect(*names)
    ids = {(await client.next("hello", name))[0]["id"] for name in names}
    same(ids, {client.sio.get_sid(name) for name in names})
    same(len(ids), 3)
    for i, name in enumerate(names):
        await client.emit("echo", name, bytes([i]), namespace=name)
    for i, name in enumerate(names):
        same(await client.next("echo", name), (name, bytes([i])))
        same(await client.ask("echo-ack", bytes([i]), namespace=name), bytes([i]))
    await client.emit("disconnect-me", False, namespace="/custom")
    same(await client.next("disconnect", "/custom"), ("server disconnect",))
    same(await client.ask("echo-ack", "lives"), "lives")


async def refused(t):
    async def why(namespace, **options):
        client = t.client()
        try:
            await client.connect(namespace, **options)
        except socketio.exceptions.ConnectionError:
            return (await client.next("connect_error", namespace))[0]
        raise AssertionError(f"{namespace} let us in")

    same(await why("/unknown"), {"message": "Invalid namespace"})
    same(await why("/refused"), {"message": "not you", "data": {"code": 42, "why": {"list": ["ž", None]}}})
    same(await why("/members", auth={"token": "wrong"}), {"message": "members only"})
    same(await why("/closed"), {"message": "closed", "data": {"token": None}})
    same(await why("/closed", auth={"token": "ž"}), {"message": "closed", "data": {"token": "ž"}})


async def handshake(t):
    auth = {"token": "secret", "more": ["ž"]}
    for given in (auth, lambda: auth):
        client = t.client()
        client.transports = client.transports or ["polling", "websocket"]
        await client.connect("/members", auth=given, headers={"X-Parley": "yes"})
        who = await client.ask("who", namespace="/members")
        same((who["auth"], who["header"]), (auth, "yes"))


async def rooms(t):
    a, b, c = [await t.connect() for _ in range(3)]
    room = f"room of {a.sio.get_sid()}"
    await a.ask("join", [room])
    await b.ask("join", [room])
    await a.emit("to", [room], [], "news", "to the room", b"\0\1")
    await a.emit("in", [room, c.sio.get_sid()], [], "news", "in both")
    same(await b.next("news"), ("to the room", b"\0\1"))
    same(await a.next("news"), ("in both",))
    same(await b.next("news"), ("in both",))
    same(await c.next("news"), ("in both",))


async def ends(t):
    witness, client = await t.connect(), await t.connect()
    id = client.sio.get_sid()
    await client.disconnect()
    # The client closes the connection at once, and Node may take this for the reason.
    one_of(await witness.ask("ended", id), "client namespace disconnect", "transport close")
    for connection in (False, True):
        client = await t.connect()
        id = client.sio.get_sid()
        await client.emit("disconnect-me", connection)
        await client.next("disconnect")
        same(await witness.ask("ended", id), "server namespace disconnect")


async def heartbeat(t):
    server = t.start("--ping-interval", "100", "--ping-timeout", "1000")
    client = await t.client(server).connect()
    await asyncio.sleep(1.5)  # the server would have given it up
    same(await client.ask("echo-ack", "lives"), "lives")
    same(client.waiting.get(("/", "disconnect")), None)


async def restart(t):
    names = ("/custom", "/members")
    server = t.start()
    client = t.client(server, reconnection=True, reconnection_delay=0.1, reconnection_delay_max=0.5)
    await client.connect(*names, auth={"token": "secret"})
    ids = [(await client.next("hello", name))[0]["id"] for name in names]
    # On polling this client takes a close packet, by which Node and we say goodbye, for a reason to
    # stay away. It comes back to a server that went without a word.
    polling = t.mode == "polling"
    await server.stop(signal.SIGKILL if polling else signal.SIGTERM)
    for name in names:
        await client.next("disconnect", name)
    t.start("--addr", f"127.0.0.1:{server.port}")
    for name, id in zip(names, ids):
        (hello,) = await client.next("hello", name)
        if hello["id"] == id:
            raise AssertionError(f"{id} again")
        same(await client.ask("echo-ack", b"back", namespace=name), b"back")
    who = await client.ask("who", namespace="/members")
    same(who["transport"], "polling" if t.mode == "polling" else "websocket")


CHECKS = {
    "connects, on the mode's transport": connects,
    "events and acks with text": text,
    "binary of 0 to 1,000,000 bytes each way": binary,
    "binary with events between, in order": order,
    "2,000 events each way, in order": many,
    "acks that the server asks for, with binary": server_asks,
    "three namespaces on one connection": namespaces,
    "refused, with data": refused,
    "auth, as a value and as a function, and a header field": handshake,
    "rooms": rooms,
    "who ended it": ends,
    "the heartbeat": heartbeat,
    "comes back after a restart": restart,
}


async def run(name, check, kit):
    started = time.monotonic()
    try:
        await asyncio.wait_for(check(kit), PATIENCE)
        ok, result = True, f"ok    {name}"
    except Exception:
        ok, result = False, f"FAIL  {name}: {traceback.format_exc()}"
    await kit.end()
    print(f"{result} ({time.monotonic() - started:.1f} s)", flush=True)
    return ok


async def main(command, only):
    passed = failed = 0
    for kind in ("threads", "asyncio"):
        for mode in MODES:
            server = Server(command, *FLAGS)
            for name, check in CHECKS.items():
                if only not in name:
                    continue
                if await run(f"{kind} {mode}: {name}", check, Kit(kind, mode, command, server)):
                    passed += 1
                else:
                    failed += 1
            if status := await server.stop():
                failed += 1
                print(f"FAIL  {kind} {mode}: the server's exit status is {status}")
    print(f"{passed} passed, {failed} failed", flush=True)
    os._exit(1 if failed else 0)  # a thread of a client that hangs must not keep us


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    flags = parser.parse_args()
    asyncio.run(main(flags.command, flags.only))
