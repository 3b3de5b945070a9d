package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cxbridge/cxbridge/internal/store"
)

func TestRetention(t *testing.T) {
	t.Parallel()
	cfg, err := resolve(t, nil, with(map[string]string{"RETENTION": "messages=400d, Threads = 90d,dead-letters=12h"}))
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	want := map[store.Expirable]time.Duration{store.ExpireMessages: 400 * day, store.ExpireThreads: 90 * day, store.ExpireDeadLetters: 12 * time.Hour}
	if diff := cmp.Diff(want, cfg.Retention); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every mistake in a list is reported.
func TestRetentionTellsEveryProblem(t *testing.T) {
	t.Parallel()
	_, err := resolve(t, nil, with(map[string]string{"RETENTION": "mesages=1d,threads=1m,journal,journal=2d,,dead-letters=1d"}))
	var wrong *SettingsError
	if !errors.As(err, &wrong) {
		t.Fatal(err)
	}
	var got []string
	for _, p := range wrong.Problems {
		got = append(got, strings.TrimPrefix(p.Wrong, "has no"))
	}
	want := []string{
		`names no kind of data in "mesages=1d"`, ` time from 1h to 36500d in "threads=1m"`, ` time from 1h to 36500d in "journal"`,
		"names journal twice", `names no kind of data in ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A card without a price is a mistake, such as an export that went wrong.
func TestRateCardWithoutPrices(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"card.yaml": "prices: []\n", "card.csv": "carrier,region,price,currency\n"} {
		_, err := resolve(t, nil, with(map[string]string{"RATE_CARD": write(t, name, text)}))
		if err == nil || !strings.Contains(err.Error(), "there is no price in the file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
