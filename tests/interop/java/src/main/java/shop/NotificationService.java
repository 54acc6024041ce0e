package shop;

import org.springframework.context.annotation.Profile;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.stereotype.Service;

/** Notifies each customer once, of the end of the order. */
@Profile("notification")
@Service
class NotificationService {
    private final Ledger ledger;

    NotificationService(Ledger ledger) {
        this.ledger = ledger;
    }

    @KafkaListener(topics = "notification-events", groupId = "notification-service")
    void on(String text) {
        Event event = Event.of(text);
        if (ledger.state(event.orderId()).isEmpty()) {
            ledger.note(event.status(), event.orderId());
        }
    }
}
