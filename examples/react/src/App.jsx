import { useEffect, useRef, useState } from "react";
import { useChat } from "./useChat.js";

export function App() {
  const [entered, setEntered] = useState(null);
  return entered
    ? <Chat {...entered} onLeave={() => setEntered(null)} />
    : <Welcome onEnter={setEntered} />;
}

function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path d="M8 9h16a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-9l-5 4v-4H8a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2z" />
    </svg>
  );
}

function Welcome({ onEnter }) {
  const enter = (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    onEnter({ name: form.get("name").trim(), room: form.get("room").trim() });
  };
  return (
    <main className="welcome">
      <form className="card" onSubmit={enter}>
        <Logo />
        <h1>Come on in</h1>
        <p>React and socket.io-client, talking to Go.</p>
        <label>Name <input name="name" maxLength="20" required pattern=".*\S.*" autoComplete="nickname" autoFocus /></label>
        <label>Room <input name="room" maxLength="20" required pattern=".*\S.*" defaultValue="lobby" /></label>
        <button className="primary">Join</button>
      </form>
    </main>
  );
}

const transports = { websocket: "WebSocket", polling: "long-polling" };

function Chat({ name, room, onLeave }) {
  const { id, transport, people, messages, send } = useChat(name, room);
  return (
    <main className="chat">
      <aside>
        <div className="brand"><Logo /> Parley</div>
        <h2>In this room <span className="count">{people.length}</span></h2>
        <ul className="people" aria-label="People">
          {people.map((person) => (
            <li key={person.id}>
              <Avatar name={person.name} />
              <span>{person.name}</span>
              {person.id === id && <small>you</small>}
            </li>
          ))}
        </ul>
        <p className={`status ${transport && "online"}`} role="status">
          {transport ? `Connected · ${transports[transport]}` : "Reconnecting…"}
        </p>
      </aside>
      <section>
        <header>
          <h1>{room}</h1>
          <button className="quiet" onClick={onLeave}>Leave</button>
        </header>
        <Messages list={messages} />
        <p className="typing" />
        <Composer room={room} onSend={send} />
      </section>
    </main>
  );
}

function Messages({ list }) {
  const end = useRef(null);
  useEffect(() => {
    end.current.lastElementChild?.scrollIntoView({ block: "end" });
  }, [list]);
  return (
    <ol className="messages" role="log" aria-label="Messages" ref={end}>
      {list.map((message, i) => <Message key={message.key} {...message} before={list[i - 1]} />)}
    </ol>
  );
}

// Message shows name and time above the first of several messages of one person.
function Message({ own, from, text, at, before }) {
  const first = before?.own !== own || before?.from?.id !== from?.id || at - before.at > 120_000;
  return (
    <li className={`${own ? "own" : ""} ${first ? "first" : ""}`}>
      {first && (
        <div className="who">
          {from?.name}
          <time>{new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}</time>
        </div>
      )}
      {first && from && <Avatar name={from.name} />}
      <div className="bubble">{text}</div>
    </li>
  );
}

function Avatar({ name }) {
  const initials = name.split(/\s+/).map((word) => [...word][0]).join("").slice(0, 2).toUpperCase();
  const hue = [...name].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) % 9973, 7) * 137.5 % 360;
  return <span className="avatar" style={{ "--hue": hue }}>{initials}</span>;
}

function Composer({ room, onSend }) {
  const [text, setText] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (!text.trim()) return;
    onSend(text.trim());
    setText("");
  };
  return (
    <form className="composer" onSubmit={submit}>
      <input
        aria-label="Message" placeholder={`Message #${room}`} maxLength="1000" autoComplete="off" autoFocus
        value={text} onChange={(event) => setText(event.target.value)}
      />
      <button className="primary" aria-label="Send">
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 12 20 4l-5 16-3.5-6.5z" /></svg>
      </button>
    </form>
  );
}
