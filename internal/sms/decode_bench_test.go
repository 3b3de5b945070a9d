package sms

import "testing"

// The shape of the receipts in CXone's tutorials.
const tutorialPayload = `{"eventType":"messaging.status.update","payload":{` +
	`"messageId":"SIM-6f1c0a52-6a0e-4f0b-9a57-0d5f3f6f2a11","status":"DELIVERED","errorCode":null,` +
	`"carrier":"TMOBILE","from":"SENDER42","to":"+14155550142","region":"US","segments":1,` +
	`"timestamp":"2026-03-14T15:09:26.535Z"}}`

const wrappedPayload = `{"eventType":"messaging.status.update","payload":{"carrierCode":"VODAFONE","smpp":{` +
	`"esm_class":4,"data_coding":0,"source_addr":"447700900123","destination_addr":"ACME",` +
	`"receipted_message_id":"38601fa","message_state":2,"network_error_code":"030000",` +
	`"short_message":"id:0059113978 sub:001 dlvrd:001 submit date:1002101730 done date:1002101731 stat:DELIVRD err:000 text:Hello"}}}`

func BenchmarkDecode(b *testing.B) {
	for name, payload := range map[string]string{"tutorial": tutorialPayload, "smpp": wrappedPayload} {
		b.Run(name, func(b *testing.B) {
			raw := []byte(payload)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Decode(raw, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
