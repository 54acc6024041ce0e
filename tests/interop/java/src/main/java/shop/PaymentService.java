package shop;

import org.springframework.context.annotation.Profile;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.stereotype.Service;

/** Acts on ORDER_CREATED: charges once, and declines every fifth order. Obeys ROLLBACK_PAYMENT. */
@Profile("payment")
@Service
class PaymentService {
    private final Topics topics;
    private final Ledger ledger;

    PaymentService(Topics topics, Ledger ledger) {
        this.topics = topics;
        this.ledger = ledger;
    }

    @KafkaListener(topics = {"order-events", "payment-events"}, groupId = "payment-service")
    void on(String text) {
        Event event = Event.of(text);
        String id = event.orderId();
        if (event.status().equals("ORDER_CREATED")) {
            if (ledger.state(id).isEmpty()) {
                ledger.note(event.number() % 5 == 4 ? "DECLINED" : "CHARGED", id);
            }
            boolean declined = ledger.state(id).equals("DECLINED");
            topics.send("payment-events", id, declined ? "PAYMENT_FAILED" : "PAYMENT_COMPLETED");
        } else if (event.status().equals("ROLLBACK_PAYMENT") && ledger.state(id).equals("CHARGED")) {
            ledger.note("REFUNDED", id);
        }
    }
}
