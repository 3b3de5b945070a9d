package main

import (
	"context"
	"database/sql"
	"encoding/csv"
	"os"
	"time"

	"github.com/cxbridge/cxbridge/internal/load"
	"github.com/cxbridge/cxbridge/internal/proof"
)

// meter takes samples of a stage.
type meter struct {
	stage   *stage
	began   time.Time
	last    time.Time
	cpu     time.Duration // that cxbridge had by then
	posts   int           // of events of threads that were acknowledged by then
	threads int           // events in those posts
	stored  int64         // receipts acknowledged since the beginning
}

func newMeter(st *stage) (*meter, error) {
	cpu, err := proof.CPU(st.service.Process().PID())
	return &meter{stage: st, began: time.Now(), last: time.Now(), cpu: cpu}, err
}

// measure takes a sample at the end of a slice of load.
func (m *meter) measure(ctx context.Context, r load.Result) (s sample, err error) {
	now := time.Now()
	slice := now.Sub(m.last).Seconds()
	posts, events := m.stage.traffic.Promises.Posts(), m.stage.traffic.Promises.Events()
	s[elapsed] = now.Sub(m.began).Minutes()
	s[receiptRate] = r.PerSecond
	s[postRate], s[threadRate] = float64(posts-m.posts)/slice, float64(events-m.threads)/slice
	s[refusedRate] = float64(r.Ledger.Unsure+r.Unsent) / slice
	s[latencyP50], s[latencyP99] = millis(r.Latency.P50), millis(r.Latency.P99)
	m.stored += r.Ledger.Receipts
	s[stored] = float64(m.stored)
	if err := m.process(&s, slice); err != nil {
		return s, err
	}
	if err := m.metrics(ctx, &s); err != nil {
		return s, err
	}
	m.last, m.posts, m.threads = now, posts, events
	return s, m.database(ctx, &s)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// process asks the operating system.
func (m *meter) process(s *sample, slice float64) error {
	pid := m.stage.service.Process().PID()
	resident, err := proof.Memory(pid)
	if err != nil {
		return err
	}
	open, err := proof.OpenFiles(pid)
	if err != nil {
		return err
	}
	cpu, err := proof.CPU(pid)
	if err != nil {
		return err
	}
	s[memory], s[handles] = float64(resident)/(1<<20), float64(open)
	s[processor] = 100 * (cpu - m.cpu).Seconds() / slice
	m.cpu = cpu
	s[machineLoad], err = proof.LoadAverage()
	return err
}

// metrics asks cxbridge.
func (m *meter) metrics(ctx context.Context, s *sample) error {
	for f, name := range map[figure]string{
		heap: "go_memstats_heap_inuse_bytes", routines: "go_goroutines", oldest: "cxbridge_sync_oldest_seconds",
	} {
		value, err := m.stage.service.Metric(ctx, name)
		if err != nil {
			return err
		}
		s[f] = value
	}
	s[heap] /= 1 << 20
	return nil
}

// database asks the store. The share of dead rows is PostgreSQL's own estimate. Small tables are left out:
// those that are a queue, like the changes of counts, consist of dead rows most of the time.
func (m *meter) database(ctx context.Context, s *sample) error {
	query := "SELECT page_count * page_size, 0 FROM pragma_page_count(), pragma_page_size()"
	if m.stage.store.Cluster != nil {
		query = `SELECT pg_database_size(current_database()),
			coalesce(max(100.0 * n_dead_tup / (n_live_tup + n_dead_tup)) FILTER (WHERE n_live_tup > 10000), 0)::float8
			FROM pg_stat_user_tables`
	}
	var size float64
	err := m.stage.store.Query(ctx, query, func(rows *sql.Rows) error { return rows.Scan(&size, &s[dead]) })
	if err != nil {
		return err
	}
	s[perStored] = size / max(1, s[stored])
	return m.stage.store.Query(ctx, "SELECT count(*) FROM threads WHERE own AND want_rev > done_rev", func(rows *sql.Rows) error { return rows.Scan(&s[unsynced]) })
}

// samplesFile is a CSV of samples. Without a file it drops them.
type samplesFile struct {
	file *os.File
	rows *csv.Writer
}

func createSamples(path string) (*samplesFile, error) {
	if path == "" {
		return &samplesFile{}, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	s := &samplesFile{file, csv.NewWriter(file)}
	head := make([]string, figures)
	for f := range figures {
		head[f] = figureRules[f].name
	}
	return s, s.write(head)
}

func (s *samplesFile) add(taken sample) error {
	if s.file == nil {
		return nil
	}
	row := make([]string, figures)
	for f := range figures {
		row[f] = f.write(taken[f])
	}
	return s.write(row)
}

// write writes a row through, so that a soak that is ended early leaves what it measured.
func (s *samplesFile) write(row []string) error {
	if err := s.rows.Write(row); err != nil {
		return err
	}
	s.rows.Flush()
	return s.rows.Error()
}

func (s *samplesFile) close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}
