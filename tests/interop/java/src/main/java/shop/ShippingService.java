package shop;

import org.springframework.context.annotation.Profile;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.stereotype.Service;

/** Ships what is completed, once. The orchestrator does not know of it. */
@Profile("shipping")
@Service
class ShippingService {
    private final Ledger ledger;

    ShippingService(Ledger ledger) {
        this.ledger = ledger;
    }

    @KafkaListener(topics = "order-events", groupId = "shipping-service")
    void on(String text) {
        Event event = Event.of(text);
        String id = event.orderId();
        if (event.status().equals("ORDER_COMPLETED") && ledger.state(id).isEmpty()) {
            ledger.note("SHIPPED", id);
        }
    }
}
