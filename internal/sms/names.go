package sms

// field is something that a payload can say.
type field uint8

// The fields, in two groups: those of CXone's JSON, and from shortMessage on those of an SMPP
// deliver_sm or data_sm.
const (
	messageID field = iota
	carrier
	status
	errorCode
	eventTime
	sender
	recipient
	region
	segments
	submittedAt
	cost
	currency

	shortMessage
	messagePayload
	receiptedMessageID
	messageState
	networkErrorCode
	esmClass
	dataCoding
	sourceAddr
	destinationAddr

	// The members that hold others.
	payloadObject
	smppObject

	fieldCount
)

// maxNames is the greatest number of names a field has.
const maxNames = 4

// firstHex is the index of the first name of an SMPP field whose value is in hexadecimal.
const firstHex = 2

// names are the names of each field, in the order in which they count: the first that is present
// wins. Present is what is neither null nor "". Case matters.
var names = [fieldCount][]string{
	messageID:   {"messageId", "smppMessageId", "externalId"},
	carrier:     {"carrier", "carrierCode"},
	status:      {"status", "deliveryStatus"},
	errorCode:   {"errorCode", "smppErrorCode"},
	eventTime:   {"timestamp", "deliveryTime"},
	sender:      {"from", "sourceAddress"},
	recipient:   {"to", "destinationAddress"},
	region:      {"region"},
	segments:    {"segments"},
	submittedAt: {"submittedAt"},
	cost:        {"cost"},
	currency:    {"currency"},

	shortMessage:       {"short_message", "shortMessage", "short_message_hex", "shortMessageHex"},
	messagePayload:     {"message_payload", "messagePayload", "message_payload_hex", "messagePayloadHex"},
	receiptedMessageID: {"receipted_message_id", "receiptedMessageId", "receipted_message_id_hex", "receiptedMessageIdHex"},
	messageState:       {"message_state", "messageState", "message_state_hex", "messageStateHex"},
	networkErrorCode:   {"network_error_code", "networkErrorCode", "network_error_code_hex", "networkErrorCodeHex"},
	esmClass:           {"esm_class", "esmClass", "esm_class_hex", "esmClassHex"},
	dataCoding:         {"data_coding", "dataCoding", "data_coding_hex", "dataCodingHex"},
	sourceAddr:         {"source_addr", "sourceAddr", "source_addr_hex", "sourceAddrHex"},
	destinationAddr:    {"destination_addr", "destinationAddr", "destination_addr_hex", "destinationAddrHex"},

	payloadObject: {"payload"},
	smppObject:    {"smpp"},
}

// slot is the place of a name in names.
type slot struct {
	field field
	name  uint8
}

// slots maps each name to its slot.
var slots = func() map[string]slot {
	m := make(map[string]slot)
	for f, list := range names {
		for i, name := range list {
			m[name] = slot{field(f), uint8(i)}
		}
	}
	return m
}()

// ofSMPP reports whether the field is one of a deliver_sm, which stands in the smpp object or beside
// the JSON fields.
func (f field) ofSMPP() bool { return f >= shortMessage && f <= destinationAddr }
