package shop;

import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.stereotype.Component;

/** Sends events, without a key, and returns when Kafka has them. */
@Component
class Topics {
    private final KafkaTemplate<String, String> kafka;

    Topics(KafkaTemplate<String, String> kafka) {
        this.kafka = kafka;
    }

    void send(String topic, String orderId, String status) {
        kafka.send(topic, new Event(orderId, status).text()).join();
    }
}
