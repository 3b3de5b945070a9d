package rest_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"go.uber.org/goleak"

	"github.com/cxbridge/cxbridge/internal/crm"
	"github.com/cxbridge/cxbridge/internal/crm/crmtest"
	"github.com/cxbridge/cxbridge/internal/crm/rest"
	"github.com/cxbridge/cxbridge/internal/sim"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "s3cr3t-t0ken"

func TestSuite(t *testing.T) {
	crmtest.Run(t, func(t *testing.T) (crm.Sink, crmtest.CRM) {
		far := sim.NewCRM(token)
		return newClient(t, far), far
	})
}

// newClient returns a client of a handler, over a connection. Each change is made to its settings.
func newClient(t *testing.T, h http.Handler, changes ...func(*rest.Config)) *rest.Client {
	t.Helper()
	server := httptest.NewServer(http.StripPrefix("/api/v1", h))
	t.Cleanup(server.Close)
	config := rest.Config{BaseURL: server.URL + "/api/v1/", Token: token}
	for _, change := range changes {
		change(&config)
	}
	c, err := rest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
