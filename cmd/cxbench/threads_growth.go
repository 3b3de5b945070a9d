package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
)

// grow fills a thread with messages and then measures one more, several times.
func (b *threadCourse) grow(ctx context.Context, size int) (*threadSize, error) {
	client := b.client()
	defer client.CloseIdleConnections()
	thread := fmt.Sprintf("grown-%d", size)
	sent := b.crm.bytes.Load()
	version, err := b.fillThread(ctx, client, thread, size)
	if err != nil {
		return nil, err
	}
	one := &threadSize{Messages: size, Whole: b.crm.bytes.Load() - sent}
	took, events := newMicros(), b.settings.Events
	cpu, sent, requests := cpuOf(b.server), b.crm.bytes.Load(), b.crm.requests()
	for i := range events {
		version++
		began := time.Now()
		if err := b.sync(ctx, client, threadEvent(thread, version, began, []string{fmt.Sprintf("%s-more-%d", thread, i)})); err != nil {
			return nil, err
		}
		record(took, time.Since(began))
	}
	one.Synced = load.LatencyOf(took)
	one.CPU = (cpuOf(b.server) - cpu) / time.Duration(events)
	one.Bytes = float64(b.crm.bytes.Load()-sent) / float64(events)
	one.Requests = float64(b.crm.requests()-requests) / float64(events)
	return one, nil
}

// fillThread brings a thread of many messages to the CRM, and returns its version.
func (b *threadCourse) fillThread(ctx context.Context, client *http.Client, thread string, size int) (version int64, err error) {
	const chunk = 1000
	for from := 0; from < size; from += chunk {
		version++
		var ids []string
		for i := from; i < min(size, from+chunk); i++ {
			ids = append(ids, fmt.Sprintf("%s-%d", thread, i))
		}
		if err := b.sync(ctx, client, threadEvent(thread, version, time.Now(), ids)); err != nil {
			return 0, err
		}
	}
	return version, nil
}

// merges merges threads of 50 messages, each into a different parent, and measures how long it takes from the
// post to the CRM's acknowledgement.
func (b *threadCourse) merges(ctx context.Context) (load.Latency, error) {
	client := b.client()
	defer client.CloseIdleConnections()
	took := newMicros()
	for i := range b.settings.Merges {
		parent, child := fmt.Sprintf("parent-%d", i), fmt.Sprintf("child-%d", i)
		for _, thread := range []string{parent, child} {
			if _, err := b.fillThread(ctx, client, thread, 50); err != nil {
				return load.Latency{}, err
			}
		}
		began := time.Now()
		if err := b.sync(ctx, client, mergeEvent(child, parent, 2, began)); err != nil {
			return load.Latency{}, err
		}
		record(took, time.Since(began))
	}
	return load.LatencyOf(took), nil
}

// sync posts an event and waits until the CRM has it.
func (b *threadCourse) sync(ctx context.Context, client *http.Client, body []byte) error {
	status, answer, err := b.send(ctx, client, body, "wait=30")
	if err == nil && (status != http.StatusOK || !bytes.Contains(answer, []byte("SYNCED"))) {
		err = fmt.Errorf("answered %d %s", status, answer)
	}
	return err
}
