package shop;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.stereotype.Component;

/** What the service has done: a line for each act, of which the last of an order is its state. */
@Component
class Ledger {
    private final Path file;
    private final Map<String, String> states = new HashMap<>();

    Ledger(@Value("${ledger}") Path file) throws IOException {
        this.file = file;
        if (Files.exists(file)) {
            for (String line : Files.readAllLines(file)) {
                String[] parts = line.split(" ", 2);
                if (parts.length == 2) {
                    states.put(parts[1], parts[0]);
                }
            }
        }
    }

    synchronized String state(String orderId) {
        return states.getOrDefault(orderId, "");
    }

    synchronized void note(String act, String orderId) {
        try {
            Files.writeString(
                file, act + " " + orderId + "\n",
                StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
        states.put(orderId, act);
    }
}
