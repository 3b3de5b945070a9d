package api

import "github.com/danielgtaylor/huma/v2"

// Examples of what the webhooks are sent and answer. A test sends them.
var (
	receiptSamples = map[string]*huma.Example{
		"envelope": sample("A receipt in its envelope", `{"eventType":"messaging.status.update","payload":{"messageId":"msg-8f14e45f","status":"DELIVERED",
			"carrier":"VODAFONE","from":"ACMECARE","to":"+447700900123","submittedAt":"2026-11-22T08:00:00Z","timestamp":"2026-11-22T08:00:03Z"}}`),
		"bare": sample("A receipt without an envelope", `{"messageId":"msg-c9f0f895","status":"UNDELIV","errorCode":"004","carrier":"VODAFONE","to":"+447700900123"}`),
		"smpp": sample("A receipt that came by SMPP", `{"carrier":"VODAFONE","smpp":{"esm_class":4,"source_addr":"447700900123","destination_addr":"ACMECARE",
			"short_message":"id:45c48cce sub:001 dlvrd:001 submit date:2611220800 done date:2611220801 stat:DELIVRD err:000 text:"}}`),
		"several": sample("Several, one of which is refused", `[{"messageId":"msg-d3d94468","status":"DELIVERED","from":"+12025550100","to":"+12025550101"},
			{"messageId":"msg-6512bd43","status":"REJECTD","from":"+12025550100","to":"+12025550102"},{"status":"DELIVERED"}]`),
	}
	receiptAnswers = map[string]*huma.Example{
		"one":     sample("One receipt", `{"acknowledged":true,"messageId":"msg-8f14e45f"}`),
		"known":   sample("One that was known", `{"acknowledged":true,"messageId":"msg-8f14e45f","duplicate":true}`),
		"several": sample("Several", `{"acknowledged":true,"accepted":2,"duplicates":0,"rejected":[{"index":2,"error":"/messageId: is required"}]}`),
	}
	receiptRefusals = map[string]*huma.Example{
		"one": sample("One receipt", `{"error":"/messageId: is required","fields":[{"path":"/messageId","error":"is required"}]}`),
		"several": sample("Several, all refused", `{"error":"every item is refused","acknowledged":false,"accepted":0,"duplicates":0,
			"rejected":[{"index":0,"error":"/messageId: is required"}]}`),
	}

	eventSamples = map[string]*huma.Example{
		"changed": sample("A thread that changed", `{"event":"THREAD_UPDATED","timestamp":"2026-11-22T08:00:04Z","data":{"threadId":"conv-4711","version":2,
			"updatedAt":"2026-11-22T08:00:03Z","participants":[{"id":"p-1","role":"CUSTOMER","name":"Ada","platformId":"@ada"},{"id":"a-1","role":"AGENT","name":"Grace"}],
			"messages":[{"id":"m-1","text":"Where is my parcel?","timestamp":"2026-11-22T08:00:01Z","authorId":"p-1","direction":"INBOUND"},
			{"id":"m-2","text":"I am looking into it.","timestamp":"2026-11-22T08:00:03Z","authorId":"a-1","direction":"OUTBOUND"}]}}`),
		"merged": sample("A thread that is merged into another", `{"event":"THREAD_MERGED","data":{"threadId":"dm-88213","parentThreadId":"conv-4711","version":1,
			"updatedAt":"2026-11-22T08:01:00Z","messages":[{"id":"d-1","text":"Does anybody read this?","timestamp":"2026-11-22T08:00:02Z","authorId":"p-1"}]}}`),
		"split": sample("A part that becomes a thread of its own", `{"event":"THREAD_SPLIT","data":{"threadId":"conv-4712","parentThreadId":"conv-4711","version":1,
			"updatedAt":"2026-11-22T08:02:00Z","messages":[{"id":"m-2"}]}}`),
		"several": sample("Several, one of which is refused", `[{"event":"THREAD_UPDATED","data":{"threadId":"conv-4713","version":1}},{"event":"THREAD_MERGED","data":{"threadId":"conv-4714","version":1}}]`),
	}
	eventAnswers = map[string]*huma.Example{
		"accepted": sample("Durable", `{"status":"ACCEPTED"}`),
		"synced":   sample("With Prefer: wait, once the CRM has all of it", `{"status":"SYNCED"}`),
		"ignored":  sample("It brought nothing new", `{"status":"IGNORED","reason":"NO_DELTA_OR_STALE"}`),
		"several": sample("Several", `{"status":"ACCEPTED","results":[{"threadId":"conv-4713","status":"ACCEPTED"},{"threadId":"conv-4714","status":"REJECTED",
			"error":"/data/parentThreadId: is required of THREAD_MERGED","fields":[{"path":"/data/parentThreadId","error":"is required of THREAD_MERGED"}]}]}`),
	}
	eventRefusals = map[string]*huma.Example{
		"one": sample("One event", `{"error":"/data/version: must be a whole number from 0","threadId":"conv-4714","fields":[{"path":"/data/version","error":"must be a whole number from 0"}]}`),
		"several": sample("Several, all refused", `{"error":"every item is refused","status":"REJECTED","results":[{"threadId":null,"status":"REJECTED",
			"error":"/data/threadId: is required","fields":[{"path":"/data/threadId","error":"is required"}]}]}`),
	}
)
