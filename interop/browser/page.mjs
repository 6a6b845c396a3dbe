// Functions that run inside the page. Playwright sends them as text, so none may use another.

// everyCodePoint sends all characters as text, 10,000 in a message, and returns how many messages
// came back unchanged. Surrogates are not characters.
export async function everyCodePoint(url) {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error("no connection")); });
  const texts = [];
  let text = "";
  for (let point = 0; point <= 0x10ffff; point++) {
    if (point < 0xd800 || point > 0xdfff) text += String.fromCodePoint(point);
    if (point % 10000 === 9999 || point === 0x10ffff) {
      texts.push(text);
      text = "";
    }
  }
  let next = 0;
  const done = new Promise((resolve, reject) => {
    socket.onmessage = ({ data }) => {
      if (data !== texts[next]) reject(new Error(`message ${next} came back changed`));
      if (++next === texts.length) resolve();
    };
    socket.onclose = ({ code }) => reject(new Error(`closed with ${code} at message ${next}`));
  });
  for (const each of texts) socket.send(each);
  await done;
  socket.close();
  return `${next} messages`;
}

// binary sends random bytes of each length, as an ArrayBuffer and as a Blob.
export async function binary({ url, lengths }) {
  for (const binaryType of ["arraybuffer", "blob"]) {
    const socket = new WebSocket(url);
    socket.binaryType = binaryType;
    await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error("no connection")); });
    for (const length of lengths) {
      const sent = new Uint8Array(length);
      for (let at = 0; at < length; at += 65536) crypto.getRandomValues(sent.subarray(at, at + 65536));
      const message = new Promise((resolve, reject) => {
        socket.onmessage = ({ data }) => resolve(data);
        socket.onclose = ({ code }) => reject(new Error(`closed with ${code} at ${length} octets`));
      });
      socket.send(binaryType === "blob" ? new Blob([sent]) : sent);
      const data = await message;
      const got = new Uint8Array(data instanceof Blob ? await data.arrayBuffer() : data);
      if (got.length !== length || got.some((octet, i) => octet !== sent[i])) throw new Error(`${length} octets came back changed`);
    }
    socket.onclose = null;
    socket.close();
  }
  return `${lengths.length} lengths to ${Math.max(...lengths)}`;
}

// repeat sends one text n times and returns the agreed extensions.
export async function repeat({ url, text, n }) {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = () => reject(new Error("no connection")); });
  for (let i = 0; i < n; i++) {
    const message = new Promise((resolve) => { socket.onmessage = ({ data }) => resolve(data); });
    socket.send(text);
    if (await message !== text) throw new Error("came back changed");
  }
  const closed = new Promise((resolve) => { socket.onclose = resolve; });
  socket.close();
  await closed;
  return socket.extensions;
}

// closing opens a connection. It sends size bytes if size is given, closes with the arguments if
// there are any, and returns the event of onclose.
export async function closing({ url, size, args }) {
  const socket = new WebSocket(url);
  const closed = new Promise((resolve) => {
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
  });
  socket.onopen = () => {
    if (size) socket.send(new Uint8Array(size));
    if (args) socket.close(...args);
  };
  return closed;
}

// open opens connections and leaves them open. Their onclose events are in window.endings.
export async function open({ url, n }) {
  window.sockets = [];
  window.endings = Promise.all(Array.from({ length: n }, () => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
    window.sockets.push(socket);
  })));
  await Promise.all(window.sockets.map((socket) => new Promise((resolve) => { socket.onopen = resolve; })));
}
