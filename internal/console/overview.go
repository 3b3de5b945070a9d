package console

import (
	"context"
	"net/http"

	"github.com/cxbridge/cxbridge/internal/access"
)

func (c *Console) overviewPage() {
	c.add(&page{
		Name: "overview", Path: "/{$}", Title: "Overview", Menu: true, Need: access.Viewer,
		load: func(context.Context, *http.Request) (any, error) { return c.Figures.Figures(), nil },
		live: []string{"overview-figures"},
	})
}
