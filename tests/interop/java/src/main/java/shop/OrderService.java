package shop;

import java.util.Map;
import org.springframework.context.annotation.Profile;
import org.springframework.http.HttpStatus;
import org.springframework.http.ResponseEntity;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** Takes orders by REST; ends as the orchestrator says. */
@Profile("order")
@RestController
class OrderService {
    private final Topics topics;
    private final Ledger ledger;

    OrderService(Topics topics, Ledger ledger) {
        this.topics = topics;
        this.ledger = ledger;
    }

    @PostMapping("/orders")
    ResponseEntity<Map<String, String>> place(@RequestBody Map<String, Object> order) {
        String id = String.valueOf(order.get("orderId"));
        if (ledger.state(id).isEmpty()) {
            topics.send("order-events", id, "ORDER_CREATED");
            ledger.note("CREATED", id);
        }
        return ResponseEntity.status(HttpStatus.CREATED).body(Map.of("orderId", id));
    }

    @GetMapping("/orders/{id}")
    Map<String, String> show(@PathVariable String id) {
        return Map.of("orderId", id, "status", ledger.state(id));
    }

    @KafkaListener(topics = "order-events", groupId = "order-service")
    void on(String text) {
        Event event = Event.of(text);
        switch (event.status()) {
            case "ORDER_COMPLETED" -> become("COMPLETED", event.orderId());
            case "ORDER_CANCELLED" -> become("CANCELLED", event.orderId());
            case "ROLLBACK_ORDER" -> become("ROLLED_BACK", event.orderId());
            default -> { }
        }
    }

    private void become(String state, String id) {
        String now = ledger.state(id);
        boolean ended = now.equals("COMPLETED") || now.equals("CANCELLED");
        if (!ended && !now.equals(state)) {
            ledger.note(state, id);
        }
    }
}
