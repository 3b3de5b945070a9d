package sms

// ErasedRaw replaces the bodies of a message from which a person was erased.
const ErasedRaw = `{"erased":true}`

// IsErased reports whether a person was erased from the message. It stays erased: a receipt that comes
// again, or later, still counts, but does not bring the person back.
func (m *Message) IsErased() bool { return string(m.Raw) == ErasedRaw }

// PastOf returns what the history of the message keeps of a receipt.
func (m *Message) PastOf(r *Receipt) PastReceipt {
	past := r.Past()
	if m.IsErased() {
		past.Raw = []byte(ErasedRaw)
	}
	return past
}

// withoutPerson returns a receipt without its recipient, and without its sender if that was erased as
// well.
func (m *Message) withoutPerson(r *Receipt) *Receipt {
	rest := *r
	rest.Recipient = ""
	if m.SenderID == "" {
		rest.SenderID = ""
	}
	return &rest
}
