// Streams a WAV file to Streamer and prints each final result as a line of JSON. Java 17, no packages:
//
//     java StreamFile.java FILE [URL [MODEL]]
//
// STREAMER_TOKEN has the token, if the server wants one. REAL_TIME=1 sends at the pace of a live source.

import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import javax.sound.sampled.UnsupportedAudioFileException;

public class StreamFile implements WebSocket.Listener {
    static final int FRAMES_PER_MESSAGE = 2048;
    static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    static final PrintStream ERR = new PrintStream(System.err, true, StandardCharsets.UTF_8);

    /** Completed with whether all went well, when the stream has ended. */
    final CompletableFuture<Boolean> ended = new CompletableFuture<>();
    private final StringBuilder text = new StringBuilder();
    private boolean started;
    private boolean failed;

    public static void main(String[] args) {
        if (args.length == 0) {
            ERR.println("usage: java StreamFile.java FILE [URL [MODEL]]");
            System.exit(2);
        }
        String url = args.length > 1 ? args[1] : "ws://localhost:8080/api/v1/segmented";
        try (AudioInputStream audio = AudioSystem.getAudioInputStream(new File(args[0]))) {
            System.exit(streamFile(audio, URI.create(url), args.length > 2 ? args[2] : null) ? 0 : 1);
        } catch (CompletionException failure) {
            ERR.println("error: " + explain(failure.getCause()));
        } catch (UnsupportedAudioFileException failure) {
            ERR.println("error: " + failure.getMessage() + "; ffmpeg -i FILE audio.wav converts it");
        } catch (IOException | IllegalArgumentException failure) {
            ERR.println("error: " + failure.getMessage());
        }
        System.exit(1);
    }

    static boolean streamFile(AudioInputStream audio, URI url, String model) {
        AudioFormat format = audio.getFormat();
        var events = new StreamFile();
        var builder = HttpClient.newHttpClient().newWebSocketBuilder();
        String token = System.getenv("STREAMER_TOKEN");
        if (token != null && !token.isEmpty()) builder.header("Authorization", "Bearer " + token);
        WebSocket socket = builder.buildAsync(url, events).join();
        String start = "{\"request\":\"start\",\"format\":" + describe(format)
                + (model == null ? "" : ",\"model\":" + Json.quote(model)) + "}";
        socket.sendText(start, true).join();
        // A thread that does not keep the program alive: if the stream ends early, nobody waits for the sending.
        var sending = new Thread(() -> {
            try {
                send(socket, audio);
            } catch (Exception failure) {
                socket.abort();
                events.ended.completeExceptionally(failure);
            }
        });
        sending.setDaemon(true);
        sending.start();
        return events.ended.join();
    }

    /** The format of the samples, for Streamer. */
    static String describe(AudioFormat format) {
        AudioFormat.Encoding kind = format.getEncoding();
        int bits = 8 * format.getFrameSize() / format.getChannels();
        boolean isPcm = kind.equals(AudioFormat.Encoding.PCM_SIGNED) && bits > 8
                || kind.equals(AudioFormat.Encoding.PCM_UNSIGNED) && bits == 8
                || kind.equals(AudioFormat.Encoding.PCM_FLOAT);
        String encoding = isPcm ? "pcm" : Map.of("ULAW", "mulaw", "ALAW", "alaw").get(kind.toString());
        if (encoding == null || format.isBigEndian() && bits > 8)
            throw new IllegalArgumentException("found " + format + "; ffmpeg -i FILE audio.wav converts it");
        return String.format("{\"channels\":%d,\"sample_rate\":%d,\"bit_depth\":%d,\"is_float\":%b,\"encoding\":\"%s\"}",
                format.getChannels(), (int) format.getSampleRate(), bits,
                kind.equals(AudioFormat.Encoding.PCM_FLOAT), encoding);
    }

    /** Sends the samples and stop. Each message waits until the last one has left, so that memory does not grow. */
    static void send(WebSocket socket, AudioInputStream audio) throws IOException, InterruptedException {
        AudioFormat format = audio.getFormat();
        byte[] samples = new byte[FRAMES_PER_MESSAGE * format.getFrameSize()];
        for (int length; (length = audio.read(samples)) > 0; ) {
            socket.sendBinary(ByteBuffer.wrap(samples, 0, length), true).join();
            if (System.getenv("REAL_TIME") != null)
                Thread.sleep((long) (1000 * FRAMES_PER_MESSAGE / format.getSampleRate()));
        }
        socket.sendText("{\"request\":\"stop\",\"disconnect\":true}", true).join();
    }

    @Override
    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
        text.append(part); // A long message comes in parts.
        if (isLast) {
            try {
                receive(socket, text.toString());
            } catch (RuntimeException failure) {
                ended.completeExceptionally(failure);
            }
            text.setLength(0);
        }
        socket.request(1);
        return null;
    }

    private void receive(WebSocket socket, String message) {
        Map<?, ?> event = (Map<?, ?>) new Json(message).value();
        switch ((String) event.get("type")) {
            case "started" -> started = true;
            // event.get("text"), ...: what the model returns; "channel", "start_time" and "end_time" are Doubles.
            case "segment" -> {
                if (!Boolean.FALSE.equals(event.get("is_final"))) OUT.println(message);
            }
            case "warning" -> ERR.println("warning: " + event.get("code") + ": " + event.get("message"));
            case "error" -> {
                ERR.println("error: " + event.get("code") + ": " + event.get("message"));
                failed = true;
                // Nothing follows an error in place of started. Any other one is followed by stopped.
                if (started) return;
                ended.complete(false);
                socket.abort();
            }
            case "stopped" -> ended.complete(!failed && "stop".equals(event.get("reason")));
            default -> { } // An event that this program does not need, or of a later version.
        }
    }

    @Override
    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        ended.completeExceptionally(new IOException("the server has closed the connection early: " + code + " " + reason));
        return null;
    }

    @Override
    public void onError(WebSocket socket, Throwable failure) {
        ended.completeExceptionally(failure);
    }

    static String explain(Throwable failure) {
        // The server has refused: the body is an error event, too.
        if (failure instanceof WebSocketHandshakeException refusal)
            return "HTTP " + refusal.getResponse().statusCode() + ": " + refusal.getResponse().body();
        return failure instanceof ConnectException ? "no server answers" : failure.toString();
    }

    /** Reads JSON, which Java has no class for: a Map, List, String, Double, Boolean or null. Your library does the same. */
    static final class Json {
        private final String text;
        private int at;

        Json(String text) {
            this.text = text;
        }

        static String quote(String value) {
            return '"' + value.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
        }

        Object value() {
            return switch (next()) {
                case '{' -> object();
                case '[' -> list();
                case '"' -> string();
                case 't' -> literal("rue", true);
                case 'f' -> literal("alse", false);
                case 'n' -> literal("ull", null);
                default -> number();
            };
        }

        private Map<String, Object> object() {
            var members = new HashMap<String, Object>();
            for (char mark = next(); mark != '}'; mark = next()) {
                if (mark == ',') mark = next();
                String name = string();
                next(); // The colon.
                members.put(name, value());
            }
            return members;
        }

        private List<Object> list() {
            var items = new ArrayList<>();
            for (char mark = next(); mark != ']'; mark = next()) {
                if (mark != ',') at--;
                items.add(value());
            }
            return items;
        }

        private String string() {
            var characters = new StringBuilder();
            for (char character; (character = text.charAt(at++)) != '"'; ) {
                if (character == '\\') character = escaped(text.charAt(at++));
                characters.append(character);
            }
            return characters.toString();
        }

        private char escaped(char letter) {
            int plain = "nrtbf".indexOf(letter);
            if (plain >= 0) return "\n\r\t\b\f".charAt(plain);
            if (letter != 'u') return letter;
            at += 4;
            return (char) Integer.parseInt(text.substring(at - 4, at), 16);
        }

        private Object literal(String rest, Object value) {
            if (!text.startsWith(rest, at)) throw new IllegalArgumentException("not JSON: " + text);
            at += rest.length();
            return value;
        }

        private Double number() {
            int from = at - 1;
            while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) at++;
            return Double.valueOf(text.substring(from, at));
        }

        private char next() {
            while (Character.isWhitespace(text.charAt(at))) at++;
            return text.charAt(at++);
        }
    }
}
