package cxone

import "github.com/prometheus/client_golang/prometheus"

// stages are all stages of a subscription.
var stages = []Progress{Off, Pending, Failing, Subscribed}

// subscriptionState is the one metric of a Subscriber.
var subscriptionState = prometheus.NewDesc("cxbridge_cxone_subscription_state",
	"1 for the state of a subscription at CXone, else 0: off (CXone is not set), pending (no answer yet), failing (the last attempt failed), subscribed.",
	[]string{"subscription", "state"}, nil)

// Describe implements prometheus.Collector.
func (s *Subscriber) Describe(descs chan<- *prometheus.Desc) { descs <- subscriptionState }

// Collect implements prometheus.Collector.
func (s *Subscriber) Collect(metrics chan<- prometheus.Metric) {
	for _, sub := range s.State() {
		for _, stage := range stages {
			value := 0.0
			if sub.State == stage {
				value = 1
			}
			metrics <- prometheus.MustNewConstMetric(subscriptionState, prometheus.GaugeValue, value, sub.Name, string(stage))
		}
	}
}
