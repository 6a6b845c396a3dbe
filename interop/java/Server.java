import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A process that says "listening on http://127.0.0.1:port" on standard error. */
final class Server {
    private static final Pattern LISTENING = Pattern.compile("listening on http://127\\.0\\.0\\.1:(\\d+)");

    private final Process process;
    final int port;

    Server(List<String> command, String... flags) throws IOException {
        List<String> all = new ArrayList<>(command);
        all.addAll(List.of(flags));
        process = new ProcessBuilder(all).redirectOutput(ProcessBuilder.Redirect.INHERIT).start();
        BufferedReader lines = new BufferedReader(new InputStreamReader(process.getErrorStream()));
        String line = lines.readLine();
        Matcher matcher = LISTENING.matcher(line == null ? "it ended at once" : line);
        if (!matcher.matches()) {
            process.destroyForcibly();
            throw new IOException(command + ": " + line);
        }
        port = Integer.parseInt(matcher.group(1));
        Thread rest = new Thread(() -> {
            try {
                for (String more; (more = lines.readLine()) != null;) System.out.println("      " + more);
            } catch (IOException e) {
                // It was killed.
            }
        });
        rest.setDaemon(true);
        rest.start();
    }

    /** Ends the process by SIGTERM, as an init system does, and returns its exit status. */
    int stop() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(15, TimeUnit.SECONDS)) throw new AssertionError("the server does not end");
        return process.exitValue();
    }

    /** Ends the process without a word to its clients, and waits until its port is free. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }
}
