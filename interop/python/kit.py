"""Servers and clients for check.py."""

import asyncio
import re
import signal
import subprocess
import sys
import threading

import engineio
import socketio

# More than 16 packets in one response of polling end the connection of a client that has this
# default, with any server.
engineio.payload.Payload.max_decode_packets = 10_000

# The client that uses threads starts one for each packet, and for each attachment of a packet. It
# relies on Python to run them in this order, so let none be interrupted: no server can help it there.
sys.setswitchinterval(1)

MODES = {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}


class Server:
    """A process that says "listening on http://127.0.0.1:port" on standard error."""

    def __init__(self, command, *flags):
        self.process = subprocess.Popen([*command, *flags], stderr=subprocess.PIPE, text=True)
        line = self.process.stderr.readline()
        match = re.fullmatch(r"listening on http://127\.0\.0\.1:(\d+)\n", line)
        if not match:
            self.process.kill()
            raise RuntimeError(f"{command}: {line}")
        self.port = int(match[1])
        threading.Thread(target=self._pass_on, daemon=True).start()

    def _pass_on(self):
        for line in self.process.stderr:
            print("     ", line, end="")

    async def stop(self, by=signal.SIGTERM):
        """Ends the process and returns its exit status."""
        self.process.send_signal(by)
        return await asyncio.to_thread(self.process.wait, 15)


class Client:
    """A client of either kind, for asyncio or for threads, with the methods of the former."""

    def __init__(self, kind, mode, port, **options):
        options = {"reconnection": False, **options}
        self.port, self.transports = port, MODES[mode]
        self.threads = kind == "threads"
        self.sio = (socketio.Client if self.threads else socketio.AsyncClient)(**options)
        self.loop = asyncio.get_running_loop()
        self.waiting = {}  # by namespace and name: the events that no check has taken yet
        self.answers = {}  # by event: the function whose results acknowledge it

    async def _run(self, f, *args, **options):
        if self.threads:
            return await asyncio.to_thread(f, *args, **options)
        return await f(*args, **options)

    def _queue(self, namespace, event):
        return self.waiting.setdefault((namespace, event), asyncio.Queue())

    def _put(self, namespace, event, args):
        self.loop.call_soon_threadsafe(lambda: self._queue(namespace, event).put_nowait(args))

    def _listen(self, namespace):
        def heard(event, *args):
            if event in self.answers:
                return self.answers[event](*args)
            self._put(namespace, event, args)

        def happened(event):
            return lambda *args: self._put(namespace, event, args)

        self.sio.on("*", heard, namespace)
        for event in ("connect", "connect_error", "disconnect"):
            self.sio.on(event, happened(event), namespace)

    async def connect(self, *namespaces, **options):
        namespaces = list(namespaces or ["/"])
        for namespace in namespaces:
            self._listen(namespace)
        await self._run(
            self.sio.connect, f"http://127.0.0.1:{self.port}", transports=self.transports,
            namespaces=namespaces, wait_timeout=10, **options)
        return self

    async def next(self, event, namespace="/"):
        """Returns the arguments of the next event with a name."""
        return await asyncio.wait_for(self._queue(namespace, event).get(), 15)

    async def emit(self, event, *args, namespace="/"):
        await self._run(self.sio.emit, event, args, namespace=namespace)

    async def ask(self, event, *args, namespace="/"):
        """Emits an event and returns its acknowledgement: a value, or a tuple if there are several."""
        return await self._run(self.sio.call, event, args, namespace=namespace, timeout=15)

    async def disconnect(self):
        await self._run(self.sio.disconnect)

    async def end(self):
        await self._run(self.sio.shutdown)
