package sms

// Compliance says whether a message's sender ID obeys the rules of its destination.
type Compliance string

// The verdicts on a sender ID.
const (
	Compliant Compliance = "compliant"
	Violation Compliance = "violation"
	Unchecked Compliance = "unchecked" // there is no rule for the region
)

// Verdict is the judgement on one sender ID in one region.
type Verdict struct {
	Compliance Compliance
	Region     string // the region it was judged for; ISO 3166-1 alpha-2
	Reason     string // why it is a violation, fit to be shown to the sender; else empty
}

// Judge decides what receipts do not say themselves: the region of a message, and whether its
// sender ID is allowed there. It is safe for concurrent use.
type Judge struct {
	Rules *SenderRules

	// DefaultRegion is the region of messages whose region is not known otherwise, as ISO 3166-1 alpha-2.
	// Numbers are read as they are dialled there.
	DefaultRegion string
}

// Examine notes the region of the recipient's number on the receipt and judges the receipt by
// itself: in the region that it names, else that of its recipient, else the default.
func (j *Judge) Examine(r *Receipt) Verdict {
	if r.Recipient != "" && r.RecipientRegion == "" {
		r.RecipientRegion = RegionFrom(r.Recipient, j.DefaultRegion)
	}
	region := r.Region
	if region == "" {
		region = r.RecipientRegion
	}
	if region == "" {
		region = j.DefaultRegion
	}
	return j.Rules.Check(r.SenderID, region)
}

// Settle sets the columns of a message that follow from the others: the default region where no
// receipt gave one, and the verdict on its sender ID. It is a function of the message alone, so it
// may be called after every Fold. An erased sender ID cannot be judged again: its verdict stays.
func (j *Judge) Settle(m *Message) {
	if m.Region == "" || m.RegionSource == RegionDefault {
		m.Region, m.RegionSource = j.DefaultRegion, RegionDefault
	}
	if m.IsErased() && m.SenderID == "" && m.Compliance != "" {
		return
	}
	v := j.Rules.Check(m.SenderID, m.Region)
	m.Compliance, m.ComplianceReason = v.Compliance, v.Reason
}
