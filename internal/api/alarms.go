package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cxbridge/cxbridge/internal/access"
)

// alarm is an alarm as the API shows it.
type alarm struct {
	Name      string         `json:"name" doc:"What is wrong" example:"slow-carrier"`
	Subject   string         `json:"subject" doc:"What it is about" example:"VODAFONE"`
	RaisedAt  time.Time      `json:"raisedAt" doc:"When it was last raised"`
	ClearedAt *time.Time     `json:"clearedAt" doc:"null while it is raised"`
	Detail    map[string]any `json:"detail" doc:"The figures that raised or cleared it"`
}

type alarmList struct {
	Body struct {
		Items []alarm `json:"items" nullable:"false"`
		Next  *string `json:"next" doc:"Always null"`
	}
}

func (c *Handler) alarmRoutes() {
	register(c, access.Viewer, huma.Operation{
		OperationID: "list-alarms", Method: http.MethodGet, Path: "/api/alarms",
		Summary: "Alarms: raised ones first, then the most recently cleared ones", Tags: []string{"alarms"},
		Description: "Each name and subject has one alarm here. The audit log has its history, under the subject alarm:NAME:SUBJECT.",
	}, c.listAlarms)
}

func (c *Handler) listAlarms(ctx context.Context, in *struct {
	Limit int `query:"limit" default:"50" minimum:"1" maximum:"500" doc:"Maximum number of items"`
}) (*alarmList, error) {
	alarms, err := c.Store.Alarms(ctx, in.Limit)
	if err != nil {
		return nil, err
	}
	list := &alarmList{}
	list.Body.Items = make([]alarm, len(alarms))
	for i, a := range alarms {
		list.Body.Items[i] = alarm{
			Name: a.Name, Subject: a.Subject, RaisedAt: a.Raised.UTC(), ClearedAt: timeOrNull(a.Cleared), Detail: a.Detail,
		}
	}
	return list, nil
}
