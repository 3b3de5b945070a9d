package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
	"github.com/cxbridge/cxbridge/internal/audit"
	"github.com/cxbridge/cxbridge/internal/store"
)

// auditEntry is an entry of the audit log as the API shows it.
type auditEntry struct {
	ID       int64     `json:"id"`
	Subject  string    `json:"subject" doc:"What it is about: the id of a thread, message:ID, dead-letter:ID, alarm:NAME:SUBJECT, or erasure; thread:ID for a thread whose id looks like one of these"`
	Seq      int64     `json:"seq" doc:"Its place in the chain of the subject, from 1"`
	At       time.Time `json:"at"`
	Action   string    `json:"action" enum:"event,push,conflict,set-aside,park,replay,delete,reconcile,raise,clear,erase"`
	Outcome  string    `json:"outcome"`
	Detail   rawJSON   `json:"detail"`
	PrevHash string    `json:"prevHash" doc:"Hash of the previous entry of the chain; zeros for the first"`
	Hash     string    `json:"hash" doc:"SHA-256 of the entry and of prevHash"`
}

func showAudit(e *audit.Entry) auditEntry {
	return auditEntry{
		ID: e.ID, Subject: e.Subject, Seq: e.Seq, At: e.At.UTC(), Action: string(e.Action), Outcome: e.Outcome,
		Detail: rawJSON(e.Detail), PrevHash: hex.EncodeToString(e.Prev[:]), Hash: hex.EncodeToString(e.Hash[:]),
	}
}

type auditPage struct {
	Body struct {
		Items []auditEntry `json:"items" nullable:"false"`
		Next  *string      `json:"next" doc:"Cursor of the next page; null when this is the last one"`
	}
}

func (c *Handler) auditRoutes() {
	register(c, access.Viewer, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/api/audit",
		Summary: "What was done, newest first", Tags: []string{"audit"},
		Description: "Each subject has a chain of its own: an entry holds the hash of the previous one, so that a gap " +
			"or an edit shows. `cxbridge audit verify` checks all chains.",
	}, c.listAudit)
}

func (c *Handler) listAudit(ctx context.Context, in *struct {
	Subject string `query:"subject" maxLength:"1024" doc:"Only entries about this subject, such as a thread id"`
	Limit   int    `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"Maximum number of items"`
	Cursor  string `query:"cursor" maxLength:"100" doc:"next of the previous page"`
}) (*auditPage, error) {
	before, err := auditCursor.parseBefore(in.Cursor)
	if err != nil {
		return nil, badCursor(in.Cursor, err)
	}
	var page auditPage
	page.Body.Items = []auditEntry{}
	if !store.IsAskable(in.Subject) {
		return &page, nil
	}
	entries, err := c.Store.AuditEntries(ctx, in.Subject, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	if len(entries) > in.Limit {
		entries = entries[:in.Limit]
		page.Body.Next = orNull(auditCursor.makeBefore(entries[in.Limit-1].ID))
	}
	for i := range entries {
		page.Body.Items = append(page.Body.Items, showAudit(&entries[i]))
	}
	return &page, nil
}
