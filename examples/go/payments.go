// A payment service in Go, in the place of the one of order-sagas:
//
//	order-sagas start --roles orchestrator,orders,stock,notification
//	KAFKA=localhost:9092 LEDGER=payments.jsonl go run .
//
// It takes commands from `payment-events`, acts once for each order, and answers in the same topic.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	topic = "payment-events"
	limit = 50_000
)

// message is a command or an answer. An answer gives back what identifies its command.
type message struct {
	OrderID string `json:"orderId"`
	Status  string `json:"status"`
	Amount  int64  `json:"amount,omitempty"`
	SagaID  string `json:"sagaId,omitempty"`
	Step    string `json:"step,omitempty"`
	Attempt int    `json:"attempt,omitempty"`
	Code    string `json:"code,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

// ledger is what was answered for each order. The last line of an order in the file counts.
type ledger struct {
	file    *os.File
	answers map[string]string
}

func openLedger(name string) (*ledger, error) {
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	answers := map[string]string{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var line message
		if json.Unmarshal(lines.Bytes(), &line) == nil {
			answers[line.OrderID] = line.Status
		}
	}
	return &ledger{file, answers}, nil
}

func (l *ledger) remember(orderID, status string) string {
	line, _ := json.Marshal(message{OrderID: orderID, Status: status})
	if _, err := l.file.Write(append(line, '\n')); err != nil {
		log.Fatal(err) // what is not remembered must not be answered
	}
	l.answers[orderID] = status
	return status
}

// answer returns the status of the answer to a command; "" for every other record, such as our own
// answers. A command that comes after its undo is refused, one that comes again is answered again.
func (l *ledger) answer(command message) string {
	before := l.answers[command.OrderID]
	switch command.Status {
	case "PROCESS_PAYMENT":
		if before == "PAYMENT_ROLLED_BACK" {
			return "PAYMENT_FAILED"
		}
		if before != "" {
			return before
		}
		if command.Amount > limit {
			return l.remember(command.OrderID, "PAYMENT_FAILED")
		}
		return l.remember(command.OrderID, "PAYMENT_COMPLETED")
	case "ROLLBACK_PAYMENT":
		if before == "PAYMENT_ROLLED_BACK" {
			return before
		}
		return l.remember(command.OrderID, "PAYMENT_ROLLED_BACK")
	}
	return ""
}

// reply returns the record that answers another one; nil if it is no command.
func reply(l *ledger, record *kgo.Record) *kgo.Record {
	var command message
	if json.Unmarshal(record.Value, &command) != nil {
		return nil // the orchestrator makes it a dead letter
	}
	status := l.answer(command)
	if status == "" {
		return nil
	}
	answer := message{
		OrderID: command.OrderID, Status: status,
		SagaID: command.SagaID, Step: command.Step, Attempt: command.Attempt,
	}
	if status == "PAYMENT_FAILED" {
		answer.Code, answer.Reason = "limit", "too much"
	}
	value, _ := json.Marshal(answer)
	return &kgo.Record{Topic: topic, Key: []byte(command.OrderID), Value: value}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	l, err := openLedger(setting("LEDGER", "payments.jsonl"))
	if err != nil {
		log.Fatal(err)
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(setting("KAFKA", "localhost:9092"), ",")...),
		kgo.ConsumerGroup("payment-service"), // which begins at the first record
		kgo.ConsumeTopics(topic),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // a partition is handed over only between two polls
		kgo.SessionTimeout(6*time.Second),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseAllowingRebalance()
	fmt.Println("payments in Go are running")
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		var replies []*kgo.Record
		fetches.EachRecord(func(record *kgo.Record) {
			if answer := reply(l, record); answer != nil {
				replies = append(replies, answer)
			}
		})
		// The offsets are committed after the answers are acknowledged.
		if err := client.ProduceSync(ctx, replies...).FirstErr(); err != nil {
			log.Fatal(err)
		}
		if err := client.CommitUncommittedOffsets(ctx); err != nil {
			log.Print(err) // what is read again is answered again
		}
		client.AllowRebalance()
	}
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
