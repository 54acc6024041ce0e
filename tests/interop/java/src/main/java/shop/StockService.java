package shop;

import org.springframework.context.annotation.Profile;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.stereotype.Service;

/** Acts on PAYMENT_COMPLETED: reserves once, and lacks the goods of every seventh order. */
@Profile("stock")
@Service
class StockService {
    private final Topics topics;
    private final Ledger ledger;

    StockService(Topics topics, Ledger ledger) {
        this.topics = topics;
        this.ledger = ledger;
    }

    @KafkaListener(topics = {"payment-events", "stock-events"}, groupId = "stock-service")
    void on(String text) {
        Event event = Event.of(text);
        String id = event.orderId();
        if (event.status().equals("PAYMENT_COMPLETED")) {
            if (ledger.state(id).isEmpty()) {
                ledger.note(event.number() % 7 == 6 ? "LACKING" : "RESERVED", id);
            }
            boolean lacking = ledger.state(id).equals("LACKING");
            topics.send(
                "stock-events", id, lacking ? "STOCK_RESERVATION_FAILED" : "STOCK_RESERVED");
        } else if (event.status().equals("ROLLBACK_STOCK") && ledger.state(id).equals("RESERVED")) {
            ledger.note("RELEASED", id);
        }
    }
}
