package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/cxbridge/cxbridge/internal/analytics"
	"github.com/cxbridge/cxbridge/internal/ingest"
	"github.com/cxbridge/cxbridge/internal/sim"
	"github.com/cxbridge/cxbridge/internal/sms"
	"github.com/cxbridge/cxbridge/internal/store"
	"github.com/cxbridge/cxbridge/internal/store/sqlite"
)

var readme = flag.String("readme", filepath.Join(pictures, "readme"), "the folder of the README's pictures")

// maxPicture is how large a picture of the README may be, in bytes.
const maxPicture = 300_000

// The pictures of the README can be made: of an hour in which a carrier went bad, a conversation that
// was merged and split, and what was refused. `make screenshots` puts them where the README has them.
func TestReadmePictures(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	database, card := filepath.Join(folder, "cxbridge.db"), filepath.Join(folder, "prices.yaml")
	if err := os.WriteFile(card, []byte(priceList), 0o600); err != nil {
		t.Fatal(err)
	}
	playBadHour(t, database)
	crm, withCRM := newCRM(t)
	crm.SetFaults(func(r *http.Request) sim.CRMFault {
		if r.URL.Path == "/threads/telegram-5531" {
			return sim.CRMFault{Status: http.StatusUnprocessableEntity, Body: `{"message":"the customer is blocked"}`}
		}
		return sim.CRMFault{}
	})
	p := serve(t, settings{
		"DATABASE_URL": "sqlite:" + database, "RATE_CARD": card, "SENDER_ID_POLICY": "quarantine",
	}.with(withCRM))
	tellOfParcel(t, p)
	refuseSome(t, p)
	eventually(t, "the slow carrier is noticed", func() bool {
		var alarms struct{ Items []json.RawMessage }
		return p.call(t, http.MethodGet, "/api/alarms", viewerToken, &alarms) == http.StatusOK && len(alarms.Items) > 0
	})

	b := newTab(t, p, scheme("light"), emulation.SetLocaleOverride().WithLocale("en-GB"))
	b.signIn(adminToken, "/")
	for _, shown := range []struct {
		name, path string
		height     int64 // down to where a part of the page ends
	}{
		{"overview", "/", 1010}, {"carriers", "/carriers?window=1h", 930},
		{"thread", "/threads/facebook-104829", 920}, {"dead-letters", "/dead-letters", 820},
	} {
		b.do(emulation.SetDeviceMetricsOverride(wide, shown.height, 1, false))
		b.open(shown.path)
		b.until(`document.querySelector("#freshness").dataset.state === "live"`)
		var png []byte
		b.do(chromedp.CaptureScreenshot(&png))
		if len(png) > maxPicture {
			t.Errorf("the picture %s has %d bytes", shown.name, len(png))
		}
		if err := os.MkdirAll(*readme, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(*readme, shown.name+".png"), png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const priceList = `currency: USD
prices:
  - {carrier: TMOBILE, price: 0.0082}
  - {carrier: VERIZON, price: 0.0079}
  - {carrier: ATT, price: 0.0085}
  - {carrier: GREYROUTE, price: 0.0041}
  - {price: 0.0080}
`

// playBadHour writes to a database what an hour of traffic leaves there. Halfway a cheap carrier goes
// bad: it fails often, and is slow.
func playBadHour(t *testing.T, path string) {
	t.Helper()
	db, err := sqlite.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	rules, _ := sms.BuiltinRules("default")
	reader := &ingest.Reader{Judge: &sms.Judge{Rules: rules, DefaultRegion: "US"}, Policy: ingest.Flag}
	rng := rand.New(rand.NewPCG(4, 4))
	traffic := sim.NewTraffic(rng)
	const hour, bad = 58 * time.Minute, 29 * time.Minute
	end := time.Now().UTC().Truncate(time.Microsecond)
	for ago := hour; ago > 0; ago -= 10 * time.Second {
		mix := sim.Mix{Regions: []string{"US"}, Timed: true, Carriers: []sim.CarrierMix{
			{Name: "TMOBILE", Weight: 4, Failures: 0.02, Delay: 2 * time.Second},
			{Name: "VERIZON", Weight: 3, Failures: 0.03, Delay: 3 * time.Second},
			{Name: "ATT", Weight: 2, Failures: 0.02, Delay: 2 * time.Second},
			{Name: "GREYROUTE", Weight: 3, Failures: 0.04, Delay: 4 * time.Second},
		}}
		if ago < bad {
			grey := &mix.Carriers[3]
			grey.Failures, grey.Slow, grey.SlowDelay = 0.38, 0.5, 7*time.Minute
		}
		traffic.SetMix(mix)
		posts := int(40 + 18*math.Sin(ago.Minutes()/9) + 6*rng.NormFloat64())
		commitTraffic(t, db, reader, traffic, rng, end.Add(-ago), posts)
	}
}

// commitTraffic commits what is posted at about a time.
func commitTraffic(t *testing.T, db *sqlite.Store, reader *ingest.Reader, traffic *sim.Traffic, rng *rand.Rand, at time.Time, posts int) {
	t.Helper()
	batch := store.Batch{Now: at, Judge: reader.Judge, Observed: new(analytics.Delta)}
	for range posts {
		at = at.Add(200 * time.Millisecond)
		post := traffic.Next(at)
		events := []json.RawMessage{post.Body}
		if bytes.HasPrefix(post.Body, []byte("[")) && json.Unmarshal(post.Body, &events) != nil {
			continue
		}
		for _, event := range events {
			reading := reader.ReadSMS(event, at)
			if reading.Refused != nil {
				continue // other dead letters are to be seen
			}
			batch.Entries = append(batch.Entries, reading.Entry)
			took := time.Duration(float64(4*time.Millisecond) * math.Exp(rng.NormFloat64()/2))
			batch.Observed.Observe(at, took, 500*time.Millisecond, 1)
		}
	}
	if _, err := db.Commit(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
}

// tellOfParcel tells of a customer who writes in two places about two things.
func tellOfParcel(t *testing.T, p *process) {
	t.Helper()
	began := time.Now().Add(-50 * time.Minute).UTC()
	when := func(minutes int) string { return began.Add(time.Duration(minutes) * time.Minute).Format(time.RFC3339) }
	said := func(id, author string, minutes int, text string) sim.Message {
		return sim.Message{ID: id, Text: text, Timestamp: when(minutes), AuthorID: author}
	}
	at := func(minutes int) member { return func(data map[string]any) { data["updatedAt"] = when(minutes) } }
	maya := sim.Participant{ID: "c-7", Role: "CUSTOMER", Name: "Maya Lindqvist", PlatformID: "facebook:maya.l"}
	elsewhere := sim.Participant{ID: "c-9", Role: "CUSTOMER", Name: "maya_l", PlatformID: "instagram:@maya_l"}
	tom := sim.Participant{ID: "a-2", Role: "AGENT", Name: "Tom, support"}
	refund := said("m-5", "c-7", 19, "One more thing: I was charged twice in October.")
	detail := said("m-6", "c-7", 20, "49.90 on the 3rd, and again on the 4th.")
	for _, e := range []string{
		event(updated, "facebook-104829", 1, at(2), among(maya, tom), saying(
			said("m-1", "c-7", 0, "Hello, my parcel was due on Friday. Where is it?"),
			said("m-2", "a-2", 2, "Hello Maya, I am looking into it. Which order is it about?"))),
		event(updated, "instagram-88213", 1, at(5), among(elsewhere), saying(
			said("i-1", "c-9", 4, "Does anybody answer here? It is order 20931."))),
		event(merged, "instagram-88213", 2, at(7), under("facebook-104829")),
		event(updated, "facebook-104829", 2, at(20), saying(
			said("m-3", "a-2", 9, "Thank you, I have joined both conversations. It left Malmö this morning and arrives tomorrow."),
			said("m-4", "c-7", 12, "Great, thanks!"), refund, detail)),
		event(split, "facebook-104829-billing", 1, at(23), under("facebook-104829"), among(maya, tom), saying(refund, detail)),
		event(updated, "telegram-5531", 1, at(30), saying(said("t-1", "c-1", 30, "Cancel my order, please."))),
	} {
		p.postThread(t, http.StatusOK, e)
	}
	for id, state := range map[string]string{"facebook-104829": "synced", "facebook-104829-billing": "synced", "telegram-5531": "parked"} {
		p.awaitState(t, id, state)
	}
}

// refuseSome posts receipts that are refused, each for another reason.
func refuseSome(t *testing.T, p *process) {
	t.Helper()
	p.post(t, http.StatusBadRequest, `{"messageId":"7f1c0a52-9b7e","status":"DELIV`)
	p.post(t, http.StatusUnprocessableEntity, `{"messageId":"b03d77e1-41aa","carrier":"VERIZON","to":"+12025550171"}`)
	p.post(t, http.StatusUnprocessableEntity, `{"status":"DELIVERED","carrier":"TMOBILE","to":"+12025550188"}`)
	p.post(t, http.StatusOK, `{"messageId":"e41b8c06-77d2","status":"DELIVERED","from":"ACMEDEALS","to":"+12025550142"}`)
	p.post(t, http.StatusOK, `{"messageId":"f5a90d13-2e6b","status":"FAILED","from":"ACMEDEALS","to":"+12025550117"}`)
}
