package shop;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.LinkedHashMap;
import java.util.Map;

/** What a record says: an order, and what happened to it. Other fields are not read. */
record Event(String orderId, String status) {
    private static final ObjectMapper JSON = new ObjectMapper();

    static Event of(String text) {
        try {
            JsonNode fields = JSON.readTree(text);
            return new Event(fields.path("orderId").asText(), fields.path("status").asText());
        } catch (JsonProcessingException error) {
            throw new IllegalArgumentException(text, error);
        }
    }

    String text() {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("orderId", orderId);
        fields.put("status", status);
        try {
            return JSON.writeValueAsString(fields);
        } catch (JsonProcessingException error) {
            throw new IllegalStateException(error);
        }
    }

    /** The number at the end of the order id, by which the tests choose what fails. */
    int number() {
        return Integer.parseInt(orderId.substring(orderId.lastIndexOf('-') + 1));
    }
}
