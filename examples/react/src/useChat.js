import { useCallback, useEffect, useRef, useState } from "react";
import { io } from "socket.io-client";

const server = import.meta.env.VITE_SERVER ?? "http://localhost:3000";

// useChat keeps a person in a room as long as the component is mounted, even if the connection
// breaks or the server restarts.
export function useChat(name, room) {
  const socket = useRef(null);
  const [id, setId] = useState("");
  const [transport, setTransport] = useState(""); // "" while there is no connection
  const [people, setPeople] = useState([]);
  const [messages, setMessages] = useState([]);

  const add = useCallback((message) => {
    setMessages((list) => [...list, { key: list.length, at: Date.now(), ...message }]);
  }, []);

  useEffect(() => {
    const s = io(server, { auth: { name } });
    socket.current = s;
    s.on("connect", () => {
      setId(s.id);
      setTransport(s.io.engine.transport.name);
      s.io.engine.once("upgrade", ({ name }) => setTransport(name));
      s.emit("join-room", room);
    });
    s.on("disconnect", () => setTransport(""));
    s.on("people", (where, list) => { if (where === room) setPeople(list); });
    s.on("receive-message", (text, from) => add({ text, from }));
    return () => s.disconnect();
  }, [name, room, add]);

  const send = useCallback((text) => {
    add({ text, own: true });
    socket.current.emit("message", { room, message: text });
  }, [room, add]);

  return { id, transport, people, messages, send };
}
