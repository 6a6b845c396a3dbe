import io.socket.client.Ack;
import io.socket.client.Socket;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import org.json.JSONArray;
import org.json.JSONObject;

/**
 * Tests a Socket.IO server with the client for Java, in each mode.
 *
 * <p>java [-Donly=NAME] Check COMMAND... : COMMAND starts the server, ours, or Node's to show that the checks judge
 * right. The last line of the output counts the checks.
 */
final class Check {
    private static final int[] SIZES = {0, 1, 3, 57, 76, 1000, 100_000, 1_000_000};
    private static final String EVERY_PLANE =
        "\u017elu\u0165ou\u010dk\u00fd k\u016f\u0148, \0\u001e\u007f\u2028, \ud83e\udd8a, \"\\/<>&";
    private static final Random RANDOM = new Random();

    private final List<String> command;
    private final String mode;
    private final Server server;
    private final List<Client> clients = new ArrayList<>();
    private final List<Server> servers = new ArrayList<>();

    private Check(List<String> command, String mode, Server server) {
        this.command = command;
        this.mode = mode;
        this.server = server;
    }

    private Client client(Server server) {
        Client client = new Client(server.port, mode);
        clients.add(client);
        return client;
    }

    private Client connect(String... namespaces) throws Exception {
        return client(server).connect(namespaces.length == 0 ? new String[] {"/"} : namespaces);
    }

    private Server start(String... flags) throws Exception {
        Server server = new Server(command, flags);
        servers.add(server);
        return server;
    }

    private void end() throws Exception {
        for (Client client : clients) client.end();
        for (Server server : servers) server.kill();
    }

    /** plain turns JSON and binary data into values that can be compared. */
    private static Object plain(Object value) throws Exception {
        if (value == null || value == JSONObject.NULL) return null;
        if (value instanceof byte[]) return ByteBuffer.wrap((byte[]) value);
        if (value instanceof Number) return ((Number) value).doubleValue();
        if (value instanceof Object[]) return plain(Arrays.asList((Object[]) value));
        if (value instanceof List) {
            List<Object> list = new ArrayList<>();
            for (Object each : (List<?>) value) list.add(plain(each));
            return list;
        }
        if (value instanceof JSONArray) {
            List<Object> list = new ArrayList<>();
            for (int i = 0; i < ((JSONArray) value).length(); i++) list.add(plain(((JSONArray) value).get(i)));
            return list;
        }
        if (value instanceof JSONObject) {
            Map<String, Object> map = new HashMap<>();
            for (Iterator<?> keys = ((JSONObject) value).keys(); keys.hasNext();) {
                String key = (String) keys.next();
                map.put(key, plain(((JSONObject) value).get(key)));
            }
            return map;
        }
        return value;
    }

    private static void same(Object got, Object want) throws Exception {
        if (!Objects.equals(plain(got), plain(want))) {
            throw new AssertionError("got " + brief(plain(got)) + ", want " + brief(plain(want)));
        }
    }

    private static String brief(Object value) {
        String text = String.valueOf(value);
        return text.length() < 300 ? text : text.substring(0, 300) + "... (" + text.length() + " characters)";
    }

    private static JSONObject object(Object... pairs) throws Exception {
        JSONObject object = new JSONObject();
        for (int i = 0; i < pairs.length; i += 2) object.put((String) pairs[i], pairs[i + 1]);
        return object;
    }

    private static JSONArray array(Object... values) {
        JSONArray array = new JSONArray();
        for (Object value : values) array.put(value);
        return array;
    }

    private static byte[] random(int size) {
        byte[] data = new byte[size];
        RANDOM.nextBytes(data);
        return data;
    }

    private static void echoed(Client client, String namespace, Object... args) throws Exception {
        client.socket(namespace).emit("echo", args);
        same(client.next("echo", namespace), args);
        same(client.ask(namespace, "echo-ack", args), args);
    }

    private void connects() throws Exception {
        Client client = connect();
        JSONObject hello = (JSONObject) client.next("hello", "/").get(0);
        same(client.socket("/").id(), hello.get("id"));
        JSONObject who = (JSONObject) client.ask("/", "who").get(0);
        same(who.get("id"), hello.get("id"));
        same(who.get("transport"), mode.equals("polling") ? "polling" : "websocket");
    }

    private void text() throws Exception {
        Client client = connect();
        echoed(client, "/");
        echoed(client, "/", EVERY_PLANE, true, 0, -1.5e300, "", array(), object(),
            object("", array(EVERY_PLANE, object("b", JSONObject.NULL))));
    }

    private void binary() throws Exception {
        Client client = connect();
        for (int size : SIZES) echoed(client, "/", random(size));
        echoed(client, "/", object("deep", array(object("a", random(3), "list", array(random(0), "text")))),
            array(random(70_000), random(76)), 1);
    }

    private void order() throws Exception {
        Client client = connect();
        List<Object[]> sent = new ArrayList<>();
        for (int i = 0; i < 200; i++) sent.add(i % 3 == 0 ? new Object[] {i, random(i)} : new Object[] {i});
        for (Object[] args : sent) client.socket("/").emit("echo", args);
        for (Object[] args : sent) same(client.next("echo", "/"), args);
    }

    private void many() throws Exception {
        Client client = connect();
        for (int i = 0; i < 10_000; i++) client.socket("/").emit("number", i);
        same(client.ask("/", "numbers"), List.of(object("count", 10_000, "ordered", true)));
        client.socket("/").emit("flood", 0, 10_000);
        for (int i = 0; i < 10_000; i++) same(client.next("number", "/"), List.of(i));
    }

    private void serverAsks() throws Exception {
        Client client = connect();
        byte[] data = random(1000);
        client.socket("/").on("question", args -> {
            try {
                ((Ack) args[2]).call(object("x", args[0], "data", args[1]), "second");
            } catch (Exception e) {
                throw new RuntimeException(e);
            }
        });
        client.socket("/").on("nothing", args -> ((Ack) args[0]).call());
        same(client.ask("/", "ask", 10_000, "question", object("n", 1), data),
            List.of(array(object("x", object("n", 1), "data", data), "second")));
        same(client.ask("/", "ask", 10_000, "nothing"), List.of(array()));
    }

    private void namespaces() throws Exception {
        String[] names = {"/", "/custom", "/dynamic-7"};
        Client client = connect(names);
        Set<String> ids = new HashSet<>();
        for (String name : names) {
            same(client.socket(name).id(), ((JSONObject) client.next("hello", name).get(0)).get("id"));
            ids.add(client.socket(name).id());
            echoed(client, name, name, random(10));
        }
        same(ids.size(), 3);
        client.socket("/custom").emit("disconnect-me", false);
        same(client.next("disconnect", "/custom"), List.of("io server disconnect"));
        echoed(client, "/", "lives");
    }

    private void refused() throws Exception {
        same(why("/unknown", null), object("message", "Invalid namespace"));
        same(why("/refused", null), object("message", "not you",
            "data", object("code", 42, "why", object("list", array("\u017e", JSONObject.NULL)))));
        same(why("/members", Map.of("token", "wrong")), object("message", "members only"));
        same(why("/closed", null), object("message", "closed", "data", object("token", JSONObject.NULL)));
        same(why("/closed", Map.of("token", "\u017e")),
            object("message", "closed", "data", object("token", "\u017e")));
    }

    private Object why(String namespace, Map<String, String> auth) throws Exception {
        Client client = client(server);
        client.options.auth = auth;
        client.open(namespace).connect();
        return client.next("connect_error", namespace).get(0);
    }

    private void handshake() throws Exception {
        Client client = client(server);
        client.options.auth = Map.of("token", "secret", "more", "\u017e");
        client.options.extraHeaders = Map.of("X-Parley", List.of("yes"));
        client.options.query = "q=a%20b";
        client.connect("/members");
        JSONObject who = (JSONObject) client.ask("/members", "who").get(0);
        same(who.get("auth"), object("token", "secret", "more", "\u017e"));
        same(List.of(who.get("header"), who.get("query")), List.of("yes", "a b"));
    }

    private void rooms() throws Exception {
        Client a = connect();
        Client b = connect();
        String room = "room of " + a.socket("/").id();
        a.ask("/", "join", array(room));
        b.ask("/", "join", array(room));
        a.socket("/").emit("to", array(room), array(), "news", "to the room", new byte[] {0, 1});
        a.socket("/").emit("in", array(room), array(), "news", "in the room");
        same(b.next("news", "/"), List.of("to the room", new byte[] {0, 1}));
        same(a.next("news", "/"), List.of("in the room"));
        same(b.next("news", "/"), List.of("in the room"));
    }

    private void ends() throws Exception {
        Client witness = connect();
        Client leaver = connect();
        String id = leaver.socket("/").id();
        leaver.socket("/").disconnect();
        same(witness.ask("/", "ended", id), List.of("client namespace disconnect"));
        for (boolean connection : new boolean[] {false, true}) {
            Client client = connect();
            id = client.socket("/").id();
            client.socket("/").emit("disconnect-me", connection);
            same(client.next("disconnect", "/"), List.of("io server disconnect"));
            same(witness.ask("/", "ended", id), List.of("server namespace disconnect"));
        }
    }

    private void heartbeat() throws Exception {
        Client client = client(start("--ping-interval", "100", "--ping-timeout", "1000")).connect("/");
        Thread.sleep(1500); // the server would have given it up
        echoed(client, "/", "lives");
        same(client.has("disconnect", "/"), false);
    }

    private void restart() throws Exception {
        Server first = start();
        Client client = client(first);
        client.options.reconnection = true;
        client.options.reconnectionDelay = 100;
        client.options.reconnectionDelayMax = 500;
        client.options.auth = Map.of("token", "secret");
        String[] names = {"/custom", "/members"};
        client.connect(names);
        Map<String, String> ids = new HashMap<>();
        for (String name : names) ids.put(name, client.socket(name).id());
        // This client doesn't answer a Close frame, reads no more after it, and so notices the end only when the
        // heartbeat fails, 45 s later. On WebSocket it comes back to a server that went without a word.
        if (mode.equals("polling")) same(first.stop(), 0);
        else first.kill();
        for (String name : names) client.next("disconnect", name);
        for (String name : names) client.socket(name).emit("number", 0); // kept while disconnected
        start("--addr", "127.0.0.1:" + first.port);
        for (String name : names) {
            client.next("connect", name);
            if (client.socket(name).id().equals(ids.get(name))) throw new AssertionError("the same id again");
            same(client.ask(name, "numbers"), List.of(object("count", 1, "ordered", true)));
            echoed(client, name, random(3));
        }
    }

    private interface Run {
        void on(Check check) throws Exception;
    }

    private static final Map<String, Run> CHECKS = new LinkedHashMap<>();

    static {
        CHECKS.put("connects, on the mode's transport", Check::connects);
        CHECKS.put("events and acks with text", Check::text);
        CHECKS.put("binary of 0 to 1,000,000 bytes each way", Check::binary);
        CHECKS.put("binary with events between, in order", Check::order);
        CHECKS.put("10,000 events each way, in order", Check::many);
        CHECKS.put("acks that the server asks for, with binary", Check::serverAsks);
        CHECKS.put("three namespaces on one connection", Check::namespaces);
        CHECKS.put("refused, with data", Check::refused);
        CHECKS.put("auth, query and a header field", Check::handshake);
        CHECKS.put("rooms", Check::rooms);
        CHECKS.put("who ended it", Check::ends);
        CHECKS.put("the heartbeat", Check::heartbeat);
        CHECKS.put("comes back after a restart", Check::restart);
    }

    public static void main(String[] command) throws Exception {
        int passed = 0;
        int failed = 0;
        for (String mode : List.of("polling", "websocket", "upgrade")) {
            // A megabyte is more in base64.
            Server server = new Server(List.of(command), "--max-payload", "2000000");
            for (Map.Entry<String, Run> each : CHECKS.entrySet()) {
                if (!each.getKey().contains(System.getProperty("only", ""))) continue;
                long started = System.nanoTime();
                Check check = new Check(List.of(command), mode, server);
                String result = "ok    " + mode + ": " + each.getKey();
                try {
                    each.getValue().on(check);
                    passed++;
                } catch (Exception | AssertionError e) {
                    failed++;
                    result = "FAIL  " + mode + ": " + each.getKey() + ": " + e;
                    e.printStackTrace(System.out);
                }
                check.end();
                System.out.printf("%s (%.1f s)%n", result, (System.nanoTime() - started) / 1e9);
            }
            int status = server.stop();
            if (status != 0) {
                failed++;
                System.out.println("FAIL  " + mode + ": the server's exit status is " + status);
            }
        }
        System.out.println(passed + " passed, " + failed + " failed");
        System.exit(failed == 0 ? 0 : 1);
    }
}
