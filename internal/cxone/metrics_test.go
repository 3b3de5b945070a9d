package cxone_test

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cxbridge/cxbridge/internal/cxone"
)

// Each subscription has one state.
func TestSubscriptionState(t *testing.T) {
	s := cxone.NewSubscriber(newClient(t, newSim()), slog.New(slog.DiscardHandler))
	registry := prometheus.NewRegistry()
	registry.MustRegister(s)
	for _, want := range []cxone.Progress{cxone.Pending, cxone.Subscribed} {
		families, err := registry.Gather()
		if err != nil || len(families) != 1 || families[0].GetName() != "cxbridge_cxone_subscription_state" {
			t.Fatalf("%v, %v", families, err)
		}
		states := make(map[string]string)
		for _, m := range families[0].GetMetric() {
			labels := m.GetLabel() // by name: state, subscription
			if m.GetGauge().GetValue() == 1 {
				states[labels[1].GetValue()] += labels[0].GetValue()
			}
		}
		if len(states) != len(cxone.Subscriptions()) {
			t.Errorf("states of %v", states)
		}
		for name, state := range states {
			if state != string(want) {
				t.Errorf("%s is %q, want %s", name, state, want)
			}
		}
		s.Run(t.Context())
	}
}
