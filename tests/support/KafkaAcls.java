import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.kafka.tools.AclCommand;

/** Runs `kafka-acls` for each line of a file, in one JVM; arguments are separated by tabs. */
public class KafkaAcls {
    public static void main(String[] given) throws Exception {
        for (String line : Files.readAllLines(Path.of(given[0]), StandardCharsets.UTF_8)) {
            AclCommand.main(line.split("\t"));
        }
    }
}
