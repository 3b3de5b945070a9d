package lint

// alertCases lists for each alert which series raise it, and which do not.
var alertCases = map[string]map[string]bool{
	"CxbridgeDown": {
		`up{job="cxbridge",instance="a"} 1 1 0`:         true,
		`up{job="cxbridge",instance="a"} 0 0 1`:         false,
		`up{job="postgres",instance="a"} 1 1 0`:         false,
		`up{job="live/cxbridge-eu",instance="a"} 1 0 0`: true,
	},
	"CxbridgeAbsent": {
		`up{job="cxbridge"} 0 0`:                  true,
		`cxbridge_build_info{version="v1"} 1 1`:   false,
		`cxbridge_build_info{version="v1"} 1 _x6`: true,
	},
	"CxbridgeRestarts": {
		`process_start_time_seconds{job="cxbridge"} 10 10 20 20 30 30 40`: true,
		`process_start_time_seconds{job="cxbridge"} 10 10 10 20 20 20`:    false,
		`process_start_time_seconds{job="postgres"} 10 20 30 40 50`:       false,
	},
	"CxbridgeRefusesRequests": {
		`cxbridge_webhook_requests_total{route="sms",status="200",outcome="accepted"} 0+600x10
		 cxbridge_webhook_requests_total{route="sms",status="503",outcome="busy"} 0+30x10`: true,
		`cxbridge_webhook_requests_total{route="sms",status="200",outcome="accepted"} 0+600x10
		 cxbridge_webhook_requests_total{route="sms",status="503",outcome="busy"} 0+3x10`: false,
		`cxbridge_webhook_requests_total{route="sms",status="200",outcome="accepted"} 0+0x10
		 cxbridge_webhook_requests_total{route="sms",status="503",outcome="busy"} 0+0x10`: false,
	},
	"CxbridgeUnauthorizedRequests": {
		`cxbridge_webhook_requests_total{route="sms",status="200",outcome="accepted"} 0+60x20
		 cxbridge_webhook_requests_total{route="sms",status="401",outcome="unauthorized"} 0+6x20`: true,
		`cxbridge_webhook_requests_total{route="sms",status="200",outcome="accepted"} 0+60x20
		 cxbridge_webhook_requests_total{route="sms",status="401",outcome="unauthorized"} 0+1x20`: false,
		`cxbridge_webhook_requests_total{route="sms",status="401",outcome="unauthorized"} 0+1x20
		 cxbridge_webhook_requests_total{route="sms",status="429",outcome="limited"} 0+60x20`: true,
	},
	"CxbridgeSLABurnsFast": {
		`cxbridge_receipts_over_sla_total 0+20x60
		 cxbridge_receipt_latency_seconds_count 0+100x60`: true,
		// It was so, but is over.
		`cxbridge_receipts_over_sla_total 0+20x60 1200+0x10
		 cxbridge_receipt_latency_seconds_count 0+100x71`: false,
		`cxbridge_receipts_over_sla_total 0+10x60
		 cxbridge_receipt_latency_seconds_count 0+100x60`: false,
	},
	"CxbridgeSLABurnsSlowly": {
		`cxbridge_receipts_over_sla_total 0+10x360
		 cxbridge_receipt_latency_seconds_count 0+100x360`: true,
		`cxbridge_receipts_over_sla_total 0+2x360
		 cxbridge_receipt_latency_seconds_count 0+100x360`: false,
		// There are no receipts.
		`cxbridge_receipts_over_sla_total 0+0x360
		 cxbridge_receipt_latency_seconds_count 0+0x360`: false,
	},
	"CxbridgeDatabaseAway": {
		`cxbridge_database_up 1 1 0`: true,
		`cxbridge_database_up 0 0 1`: false,
	},
	"CxbridgeSpoolFilling": {
		`cxbridge_spool_bytes 500 550
		 cxbridge_spool_limit_bytes 1000 1000`: true,
		// At this pace it is full in half an hour.
		`cxbridge_spool_bytes 0+10x15
		 cxbridge_spool_limit_bytes 450+0x15`: true,
		`cxbridge_spool_bytes 0+1x15
		 cxbridge_spool_limit_bytes 450+0x15`: false,
		// SQLite has no spool.
		`cxbridge_spool_bytes 0+0x15
		 cxbridge_spool_limit_bytes 0+0x15`: false,
	},
	"CxbridgeSpoolFull": {
		`cxbridge_spool_bytes 1000
		 cxbridge_spool_limit_bytes 1000`: true,
		`cxbridge_spool_bytes 900
		 cxbridge_spool_limit_bytes 1000`: false,
		`cxbridge_spool_bytes 0
		 cxbridge_spool_limit_bytes 0`: false,
	},
	"CxbridgeSpoolNotDraining": {
		`cxbridge_spool_events{instance="a"} 5+0x20
		 cxbridge_database_up{instance="a"} 1+0x20
		 cxbridge_spool_drained_events_total{instance="a"} 7+0x20`: true,
		`cxbridge_spool_events{instance="a"} 100-5x15
		 cxbridge_database_up{instance="a"} 1+0x15
		 cxbridge_spool_drained_events_total{instance="a"} 0+5x15`: false,
		`cxbridge_spool_events{instance="a"} 5+0x20
		 cxbridge_database_up{instance="a"} 0+0x20
		 cxbridge_spool_drained_events_total{instance="a"} 7+0x20`: false,
	},
	"CxbridgeCompactionBehind": {
		`cxbridge_committed_events_total{kept_as="receipt"} 0+5x40
		 cxbridge_analytics_compacted_deltas_total 9+0x40`: true,
		// One of two replicas does the work.
		`cxbridge_committed_events_total{kept_as="receipt",instance="a"} 0+5x40
		 cxbridge_analytics_compacted_deltas_total{instance="a"} 9+0x40
		 cxbridge_analytics_compacted_deltas_total{instance="b"} 0+5x40`: false,
		`cxbridge_committed_events_total{kept_as="receipt"} 5+0x40
		 cxbridge_committed_events_total{kept_as="thread_event"} 0+5x40
		 cxbridge_analytics_compacted_deltas_total 9+0x40`: false,
	},
	"CxbridgeCRMBreakerOpen": {
		`cxbridge_crm_breaker_state{state="closed"} 1 0
		 cxbridge_crm_breaker_state{state="half-open"} 0 1`: true,
		`cxbridge_crm_breaker_state{state="closed"} 0 1
		 cxbridge_crm_breaker_state{state="open"} 1 0`: false,
	},
	"CxbridgeCRMFailing": {
		`cxbridge_crm_state{job="x",instance="a",state="failing"} 1+0x10
		 cxbridge_crm_breaker_state{job="x",instance="a",state="closed"} 1+0x10`: true,
		// The breaker is open.
		`cxbridge_crm_state{job="x",instance="a",state="failing"} 1+0x10
		 cxbridge_crm_breaker_state{job="x",instance="a",state="closed"} 0+0x10`: false,
		`cxbridge_crm_state{job="x",instance="a",state="failing"} 1 0
		 cxbridge_crm_breaker_state{job="x",instance="a",state="closed"} 1 1`: false,
	},
	"CxbridgeCRMPaused": {
		`cxbridge_crm_state{state="paused"} 1 1 1 1 1 0 1 1 1 1 1 0 1 1 1 1`: true,
		// It was so for five minutes.
		`cxbridge_crm_state{state="paused"} 0 0 0 0 0 0 0 0 0 0 1 1 1 1 1 1`: false,
		`cxbridge_crm_state{state="failing"} 1+0x15
		 cxbridge_crm_state{state="paused"} 0+0x15`: false,
	},
	"CxbridgeCRMRequestsFail": {
		`cxbridge_crm_requests_total{class="ok"} 0+80x20
		 cxbridge_crm_requests_total{class="failed"} 0+20x20`: true,
		`cxbridge_crm_requests_total{class="ok"} 0+80x20
		 cxbridge_crm_requests_total{class="throttled"} 0+20x20`: false,
	},
	"CxbridgeCRMBehind": {
		`cxbridge_sync_oldest_seconds{job="x",instance="a"} 800 1000
		 cxbridge_crm_breaker_state{job="x",instance="a",state="closed"} 0 0`: true,
		`cxbridge_sync_oldest_seconds{job="x",instance="a"} 1000 0
		 cxbridge_crm_breaker_state{job="x",instance="a",state="closed"} 1 1`: false,
		// There is no CRM.
		`cxbridge_sync_oldest_seconds{job="x",instance="a"} 800 1000`: false,
	},
	"CxbridgeThreadsParked": {
		`cxbridge_sync_backlog_threads{state="parked"} 0 1`:  true,
		`cxbridge_sync_backlog_threads{state="parked"} 1 0`:  false,
		`cxbridge_sync_backlog_threads{state="pending"} 0 9`: false,
	},
	"CxbridgeDeadLettersRising": {
		`cxbridge_committed_events_total{kept_as="receipt"} 0+100x60
		 cxbridge_committed_events_total{kept_as="dead_letter"} 0+5x60`: true,
		`cxbridge_committed_events_total{kept_as="receipt"} 0+10000x60
		 cxbridge_committed_events_total{kept_as="dead_letter"} 0+5x60`: false,
		// Only a few, with little traffic.
		`cxbridge_committed_events_total{kept_as="receipt"} 0+1x60
		 cxbridge_committed_events_total{kept_as="dead_letter"} 0x57 1 2 3`: false,
	},
	"CxbridgeDeadLettersWaiting": {
		`cxbridge_dead_letters 3x1450`: true,
		// A scrape is missed now and then, also now and a day ago.
		`cxbridge_dead_letters 3x5 _x10 3x700 _x3 4x740 _x5`: true,
		`cxbridge_dead_letters 3x700`:                        false,
		`cxbridge_dead_letters 3x700 0 3x760`:                false,
		`cxbridge_dead_letters 3x1450 0`:                     false,
	},
	"CxbridgeSlowCarrier": {
		`cxbridge_slow_carriers 0 1`: true,
		`cxbridge_slow_carriers 1 0`: false,
	},
	"CxbridgeSubscriptionFails": {
		`cxbridge_cxone_subscription_state{subscription="sms",state="failing"} 0 1`:    true,
		`cxbridge_cxone_subscription_state{subscription="sms",state="failing"} 1 0`:    false,
		`cxbridge_cxone_subscription_state{subscription="sms",state="off"} 1 1`:        false,
		`cxbridge_cxone_subscription_state{subscription="sms",state="subscribed"} 0 1`: false,
	},
}
