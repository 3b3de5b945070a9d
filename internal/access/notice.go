package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// NoticeLength is how long a notice is valid.
const NoticeLength = time.Minute

// noticeEnd is the length, in bytes, of the time at which a notice ends: Unix time, in front of its text.
const noticeEnd = 8

// SealNotice signs a text for the bearer of a session, so that their browser can carry it to the page
// that shows it. Nobody else can make one, and it is valid for NoticeLength. It is signed, not encrypted.
func (s *Sessions) SealNotice(session, text string, now time.Time) string {
	claim := append(binary.BigEndian.AppendUint64(nil, uint64(now.Add(NoticeLength).Unix())), text...)
	return base64.RawURLEncoding.EncodeToString(append(claim, s.signNotice(session, claim)...))
}

// OpenNotice returns the text of a notice, and false for one that is too old, of another session, or
// forged.
func (s *Sessions) OpenNotice(session, notice string, now time.Time) (text string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(notice)
	if err != nil || len(raw) < noticeEnd+sha256.Size {
		return "", false
	}
	claim, signature := raw[:len(raw)-sha256.Size], raw[len(raw)-sha256.Size:]
	if !hmac.Equal(signature, s.signNotice(session, claim)) || now.Unix() >= int64(binary.BigEndian.Uint64(claim)) {
		return "", false
	}
	return string(claim[noticeEnd:]), true
}

// signNotice uses a key of the session's own, so that no notice passes as a session.
func (s *Sessions) signNotice(session string, claim []byte) []byte {
	mac := hmac.New(sha256.New, s.sign([]byte("notice\x00"+session)))
	mac.Write(claim)
	return mac.Sum(nil)
}
