package sms

import "testing"

func TestMessageState(t *testing.T) {
	tests := []struct {
		in, raw string
		status  Status
	}{
		{`0`, "SCHEDULED", Pending},
		{`1`, "ENROUTE", Pending},
		{`2`, "DELIVERED", Delivered},
		{`3`, "EXPIRED", Expired},
		{`4`, "DELETED", Failed},
		{`5`, "UNDELIVERABLE", Failed},
		{`6`, "ACCEPTED", Pending},
		{`7`, "UNKNOWN", Unknown},
		{`8`, "REJECTED", Rejected},
		{`9`, "SKIPPED", Rejected},
		{`10`, "10", Unknown},
		{`255`, "255", Unknown},
		{`1000`, "1000", Unknown},
		{`-1`, "-1", Unknown},
		{`2.0`, "2.0", Unknown},
		{`"2"`, "DELIVERED", Delivered},
		{`"02"`, "DELIVERED", Delivered},
		{`"0x02"`, "DELIVERED", Delivered},
		{`"DELIVERED"`, "DELIVERED", Delivered},
		{`"delivered"`, "delivered", Delivered},
		{`"DELIVRD"`, "DELIVRD", Delivered},
		{`"else"`, "else", Unknown},
	}
	for _, tt := range tests {
		checkState(t, `"message_state":`+tt.in, tt.raw, tt.status)
		checkState(t, `"messageState":`+tt.in, tt.raw, tt.status)
	}
	checkState(t, `"message_state_hex":"05"`, "UNDELIVERABLE", Failed)
	checkState(t, `"messageStateHex":"0x08"`, "REJECTED", Rejected)
	checkState(t, `"message_state_hex":"0b"`, "11", Unknown)
	checkState(t, `"message_state_hex":2`, "DELIVERED", Delivered)
}

func checkState(t *testing.T, member, raw string, status Status) {
	t.Helper()
	r, err := Decode([]byte(`{"smpp":{"receipted_message_id":"1",`+member+`}}`), nil)
	if err != nil {
		t.Errorf("%s: %v", member, err)
		return
	}
	if r.RawStatus != raw || r.Status != status {
		t.Errorf("%s: got %q, %v, want %q, %v", member, r.RawStatus, r.Status, raw, status)
	}
}

func TestNetworkErrorCode(t *testing.T) {
	tests := map[string]string{
		`"network_error_code":0`:            "0",
		`"network_error_code":17`:           "17",
		`"networkErrorCode":65535`:          "65535",
		`"network_error_code":196625`:       "17", // 0x030011
		`"network_error_code":"17"`:         "17",
		`"network_error_code":"3:0"`:        "0",
		`"network_error_code":"3:17"`:       "17",
		`"network_error_code":"3 : 017"`:    "17",
		`"network_error_code":"030000"`:     "0",
		`"network_error_code":"030011"`:     "17",
		`"network_error_code":"0301f4"`:     "500",
		`"network_error_code":"0x030011"`:   "17",
		`"network_error_code":"03 00 11"`:   "17",
		`"network_error_code":"303030"`:     "000",
		`"network_error_code":"303137"`:     "017",
		`"network_error_code_hex":"030011"`: "17",
		`"networkErrorCodeHex":"30 30 30"`:  "000",
		`"network_error_code":null`:         "",
		`"network_error_code":"x"`:          "",
		`"network_error_code":"3:x"`:        "",
		`"network_error_code":-1`:           "",
		`"network_error_code":1.5`:          "",
		`"network_error_code":99999999`:     "",
		`"network_error_code":"03000011"`:   "",
		`"network_error_code":{"type":3}`:   "",
		`"network_error_code_hex":"0300"`:   "",
		`"network_error_code_hex":"zz"`:     "",
	}
	for member, want := range tests {
		r, err := Decode([]byte(`{"messageId":"1","status":"FAILED","smpp":{`+member+`}}`), nil)
		if err != nil || r.ErrorCode != want {
			t.Errorf("%s: got %+v, %v, want %q", member, r, err, want)
		}
	}
}

func TestReceiptedMessageID(t *testing.T) {
	tests := map[string]string{
		`"receipted_message_id":"38601fa"`:              "38601fa",
		`"receiptedMessageId":"38601fa\u0000"`:          "38601fa",
		`"receipted_message_id":"38601fa\u0000garbage"`: "38601fa",
		`"receipted_message_id":59113978`:               "59113978",
		`"receipted_message_id_hex":"333836303166610"`:  "",
		`"receipted_message_id_hex":"3338363031666100"`: "38601fa",
		`"receiptedMessageIdHex":"33383630316661"`:      "38601fa",
	}
	for member, want := range tests {
		r, err := Decode([]byte(`{"message_state":2,`+member+`}`), nil)
		if (err == nil) != (want != "") || err == nil && r.MessageID != want {
			t.Errorf("%s: got %+v, %v, want %q", member, r, err, want)
		}
	}
}
