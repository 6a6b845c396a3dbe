import io.socket.client.Ack;
import io.socket.client.Manager;
import io.socket.client.Socket;
import java.net.URI;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import okhttp3.OkHttpClient;
import org.json.JSONObject;

/** One connection with its sockets, whose events wait until a check takes them. */
final class Client {
    private static final int PATIENCE = 15; // seconds

    final Manager.Options options = new Manager.Options();
    private final int port;
    private final boolean upgrades;
    private final Map<String, BlockingQueue<List<Object>>> waiting = new ConcurrentHashMap<>();
    private final Map<String, Socket> sockets = new HashMap<>();
    private final OkHttpClient http = new OkHttpClient.Builder().readTimeout(1, TimeUnit.MINUTES).build();
    private Manager manager;

    Client(int port, String mode) {
        this.port = port;
        upgrades = mode.equals("upgrade");
        options.transports = upgrades ? new String[] {"polling", "websocket"} : new String[] {mode};
        options.reconnection = false;
        // All clients share an OkHttpClient otherwise, which runs five requests to a server at a time.
        options.callFactory = http;
        options.webSocketFactory = http;
    }

    /** Makes the socket of a namespace, which does not connect yet. */
    Socket open(String namespace) throws Exception {
        if (manager == null) {
            manager = new Manager(new URI("http://127.0.0.1:" + port + "/"), options);
        }
        Socket socket = manager.socket(namespace, options);
        sockets.put(namespace, socket);
        socket.onAnyIncoming(args -> put(namespace, (String) args[0], Arrays.copyOfRange(args, 1, args.length)));
        for (String event : List.of(Socket.EVENT_CONNECT, Socket.EVENT_CONNECT_ERROR, Socket.EVENT_DISCONNECT)) {
            socket.on(event, args -> put(namespace, event, args));
        }
        return socket;
    }

    /** Connects, and waits until all namespaces are joined and the connection is on its last transport. */
    Client connect(String... namespaces) throws Exception {
        for (String namespace : namespaces) open(namespace).connect();
        for (String namespace : namespaces) next(Socket.EVENT_CONNECT, namespace);
        if (upgrades) awaitUpgrade(namespaces[0]);
        return this;
    }

    private void awaitUpgrade(String namespace) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE);
        while (!((JSONObject) ask(namespace, "who").get(0)).get("transport").equals("websocket")) {
            if (System.nanoTime() > end) throw new AssertionError("no upgrade");
            Thread.sleep(10);
        }
    }

    Socket socket(String namespace) {
        return sockets.get(namespace);
    }

    private BlockingQueue<List<Object>> queue(String namespace, String event) {
        return waiting.computeIfAbsent(namespace + " " + event, key -> new LinkedBlockingQueue<>());
    }

    private void put(String namespace, String event, Object[] args) {
        queue(namespace, event).add(Arrays.asList(args));
    }

    /** Returns the arguments of the next event with a name. */
    List<Object> next(String event, String namespace) throws Exception {
        List<Object> args = queue(namespace, event).poll(PATIENCE, TimeUnit.SECONDS);
        if (args == null) throw new AssertionError("no " + event + " in " + namespace);
        return args;
    }

    /** Says whether an event has come that no check has taken. */
    boolean has(String event, String namespace) {
        return !queue(namespace, event).isEmpty();
    }

    /** Emits an event and returns the arguments of its acknowledgement. */
    List<Object> ask(String namespace, String event, Object... args) throws Exception {
        CompletableFuture<List<Object>> answer = new CompletableFuture<>();
        sockets.get(namespace).emit(event, args, (Ack) got -> answer.complete(Arrays.asList(got)));
        return answer.get(PATIENCE, TimeUnit.SECONDS);
    }

    void end() {
        for (Socket socket : sockets.values()) socket.disconnect();
        http.dispatcher().executorService().shutdown();
    }
}
