// A payment service in Node, in the place of the one of order-sagas:
//
//   order-sagas start --roles orchestrator,orders,stock,notification
//   KAFKA=localhost:9092 LEDGER=payments.jsonl node payments.js
//
// It takes commands from `payment-events`, acts once for each order, and answers in the same topic.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { Kafka } from "kafkajs";

const { KAFKA = "localhost:9092", LEDGER = "payments.jsonl", LIMIT = "50000" } = process.env;
const TOPIC = "payment-events";

// What was answered for each order. The last line of an order counts.
const answers = new Map();
if (existsSync(LEDGER)) {
  for (const line of readFileSync(LEDGER, "utf8").split("\n").filter(Boolean)) {
    const { orderId, status } = JSON.parse(line);
    answers.set(orderId, status);
  }
}

function remember(orderId, status) {
  appendFileSync(LEDGER, JSON.stringify({ orderId, status }) + "\n");
  answers.set(orderId, status);
  return status;
}

// The answer to a command; undefined for every other record, such as our own answers.
function handle({ orderId, status, amount = 0 }) {
  const before = answers.get(orderId);
  if (status === "PROCESS_PAYMENT") {
    // A command that comes after its undo is refused; one that comes again is answered again.
    if (before === "PAYMENT_ROLLED_BACK") return "PAYMENT_FAILED";
    return before ?? remember(orderId, amount > LIMIT ? "PAYMENT_FAILED" : "PAYMENT_COMPLETED");
  }
  if (status === "ROLLBACK_PAYMENT") {
    return before === "PAYMENT_ROLLED_BACK" ? before : remember(orderId, "PAYMENT_ROLLED_BACK");
  }
}

const kafka = new Kafka({ brokers: KAFKA.split(",") });
const producer = kafka.producer({ idempotent: true });
const consumer = kafka.consumer({ groupId: "payment-service", sessionTimeout: 6000, heartbeatInterval: 2000 });
await producer.connect();
await consumer.connect();
await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
await consumer.run({
  // The offset is committed after the answer is acknowledged.
  eachMessage: async ({ message }) => {
    const command = JSON.parse(message.value.toString());
    const status = handle(command);
    if (!status) return;
    const { orderId, sagaId, step, attempt } = command;
    const reply = { orderId, status, sagaId, step, attempt };
    if (status === "PAYMENT_FAILED") Object.assign(reply, { code: "limit", reason: "too much" });
    await producer.send({
      topic: TOPIC,
      acks: -1,
      messages: [{ key: orderId, value: JSON.stringify(reply) }],
    });
  },
});
console.log("payments in Node are running");
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await consumer.disconnect();
    await producer.disconnect();
    process.exit(0);
  });
}
