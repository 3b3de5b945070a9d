package e2e_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/goccy/go-yaml"
)

// What an operator looks at: alert rules, dashboard and the page about them. They are compared with the
// metrics of a running cxbridge.
const (
	alertsFile     = "../../deploy/prometheus/alerts.yaml"
	dashboardFile  = "../../deploy/grafana/cxbridge.json"
	operationsPage = "../../docs/operations.md"
	runbook        = "https://github.com/cxbridge/cxbridge/blob/main/docs/operations.md#"
)

// alert is a rule of Prometheus.
type alert struct {
	Name        string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func readAlerts(t *testing.T) (all []alert) {
	t.Helper()
	text, err := os.ReadFile(alertsFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string  `yaml:"name"`
			Rules []alert `yaml:"rules"`
		} `yaml:"groups"`
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	return all
}

// panel is a panel of Grafana, or a row of them.
type panel struct {
	ID          int
	Type        string
	Title       string
	Description string
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ Expr, LegendFormat string }
}

type dashboard struct {
	Panels     []panel
	Templating struct {
		List []struct{ Name, Type string }
	}
	Annotations struct {
		List []struct{ Name, Expr string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// usage is an expression, and the texts that name labels of its result.
type usage struct {
	where, expr string
	texts       []string
}

// usages are all expressions of the alert rules and of the dashboard.
func usages(t *testing.T) (all []usage) {
	t.Helper()
	for _, a := range readAlerts(t) {
		all = append(all, usage{"the alert " + a.Name, a.Expr, slices.Collect(maps.Values(a.Annotations))})
	}
	d := readDashboard(t)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, usage{"the panel " + p.Title, target.Expr, []string{target.LegendFormat}})
		}
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			all = append(all, usage{"the annotation " + a.Name, a.Expr, nil})
		}
	}
	return all
}

// inGrafana puts values in place of the variables of the dashboard.
var inGrafana = strings.NewReplacer("$__rate_interval", "5m", "$job", ".*", "$instance", ".*")

// selectors parses the expression and returns what it asks for.
func (u *usage) selectors(t *testing.T) (list []*metricsql.MetricExpr) {
	t.Helper()
	expr, err := metricsql.Parse(inGrafana.Replace(u.expr))
	if err != nil {
		t.Errorf("%s: %v", u.where, err)
		return nil
	}
	metricsql.VisitAll(expr, func(e metricsql.Expr) {
		if m, ok := e.(*metricsql.MetricExpr); ok && len(m.LabelFilterss) > 0 {
			list = append(list, m)
		}
	})
	if len(list) == 0 {
		t.Errorf("%s asks for no metric", u.where)
	}
	return list
}

// series is a metric with its labels, as in /metrics.
type series struct {
	name   string
	labels map[string]string
}

// page is what /metrics says.
type page struct {
	names  []string // of metrics; that of a histogram is without _bucket, _sum and _count
	series []series
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (\S+) \S+$`)
	seriesLine = regexp.MustCompile(`(?m)^([a-zA-Z0-9_:]+)(?:\{(.*)\})? \S+$`)
	labelPair  = regexp.MustCompile(`(\w+)="((?:[^"\\]|\\.)*)"`)
)

// readPage starts a cxbridge in which everything is switched on, so that it has all metrics.
func readPage(t *testing.T) (found page) {
	t.Helper()
	const nowhere = "http://127.0.0.1:1"
	s := onSQLite(t).settings.with(settings{
		"CRM_API_URL": nowhere, "CRM_API_TOKEN": "nobody-listens-there", "OTEL_EXPORTER_OTLP_ENDPOINT": nowhere,
		"RETENTION": "messages=400d,threads=400d,journal=90d,dead-letters=90d",
	})
	p := serve(t, s)
	p.post(t, http.StatusOK, `{"messageId":"timed","status":"DELIVERED","carrier":"VODAFONE",
		"submittedAt":"2026-03-01T10:00:00Z","timestamp":"2026-03-01T10:00:05Z"}`)
	p.terminate(t)
	// The share of slow messages is measured at the start.
	p = serve(t, s)
	var text string
	eventually(t, "the share of slow messages is measured", func() bool {
		text = p.metrics(t)
		return strings.Contains(text, "cxbridge_carrier_slow_share{")
	})
	for _, match := range typeLine.FindAllStringSubmatch(text, -1) {
		found.names = append(found.names, match[1])
	}
	for _, match := range seriesLine.FindAllStringSubmatch(text, -1) {
		one := series{name: match[1], labels: make(map[string]string)}
		for _, pair := range labelPair.FindAllStringSubmatch(match[2], -1) {
			one.labels[pair[1]] = pair[2]
		}
		found.series = append(found.series, one)
	}
	if len(found.names) < 40 || len(found.series) < len(found.names) {
		t.Fatalf("%d metrics, %d series are read from\n%s", len(found.names), len(found.series), text)
	}
	return found
}

// fromPrometheus are the labels that Prometheus adds to every series.
var fromPrometheus = []string{"job", "instance"}

// find returns the series that a selector means.
func (p *page) find(t *testing.T, selector *metricsql.MetricExpr) (found []series) {
	t.Helper()
	for _, filters := range selector.LabelFilterss {
		for _, s := range p.series {
			matches := true
			for _, f := range filters {
				value, there := s.labels[f.Label], slices.Contains(fromPrometheus, f.Label)
				switch {
				case f.Label == "__name__":
					value = s.name
				case there:
					continue
				}
				matches = matches && (!f.IsRegexp && value == f.Value || f.IsRegexp && regexp.MustCompile("^(?:"+f.Value+")$").MatchString(value)) != f.IsNegative
			}
			if matches {
				found = append(found, s)
			}
		}
	}
	return found
}

// wantEveryAlternative wants each value in a list such as failed|permanent to be that of a series.
func wantEveryAlternative(t *testing.T, where string, selector *metricsql.MetricExpr, found []series) {
	t.Helper()
	for _, f := range selector.LabelFilterss[0] {
		if !f.IsRegexp || f.IsNegative || slices.Contains(fromPrometheus, f.Label) {
			continue
		}
		for _, value := range strings.Split(f.Value, "|") {
			if !slices.ContainsFunc(found, func(s series) bool { return s.labels[f.Label] == value }) {
				t.Errorf("%s asks for %s=%q, which is not there", where, f.Label, value)
			}
		}
	}
}

// labelUse finds the labels that the texts of alerts and legends show.
var labelUse = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?(\w+)\s*(?:\||\}\})`)

// TestMonitoring compares the alert rules, the dashboard and the page with the metrics of a cxbridge that
// runs.
func TestMonitoring(t *testing.T) {
	t.Parallel()
	p := readPage(t)
	t.Run("every expression finds something", func(t *testing.T) {
		for _, u := range usages(t) {
			known := slices.Clone(fromPrometheus)
			for _, selector := range u.selectors(t) {
				if selector.LabelFilterss[0][0].Value == "up" {
					continue // Prometheus makes it
				}
				found := p.find(t, selector)
				if len(found) == 0 {
					t.Errorf("%s asks for %s, which is not there", u.where, selector.AppendString(nil))
				}
				wantEveryAlternative(t, u.where, selector, found)
				for _, s := range found {
					known = slices.AppendSeq(known, maps.Keys(s.labels))
				}
			}
			for _, text := range u.texts {
				for _, label := range labelUse.FindAllStringSubmatch(text, -1) {
					if !slices.Contains(known, label[1]) {
						t.Errorf("%s shows %q, which has no label %s", u.where, text, label[1])
					}
				}
			}
		}
	})
	t.Run("every metric is shown, and told of", func(t *testing.T) {
		text, err := os.ReadFile(operationsPage)
		if err != nil {
			t.Fatal(err)
		}
		shown := make(map[string]bool)
		for _, u := range usages(t) {
			for _, selector := range u.selectors(t) {
				for _, s := range p.find(t, selector) {
					shown[s.name] = true
				}
			}
		}
		for _, name := range p.names {
			if !strings.HasPrefix(name, "cxbridge_") {
				continue
			}
			if !shown[name] && !shown[name+"_bucket"] {
				t.Errorf("neither a panel nor an alert shows %s", name)
			}
			if !regexp.MustCompile("(?m)^\\| `" + name + "[`{]").Match(text) {
				t.Errorf("the table of docs/operations.md lacks %s", name)
			}
		}
		for _, row := range regexp.MustCompile("(?m)^\\| `(cxbridge_[a-z_]+)").FindAllSubmatch(text, -1) {
			if !slices.Contains(p.names, string(row[1])) {
				t.Errorf("docs/operations.md tells of %s, which is not there", row[1])
			}
		}
	})
}

// Each alert says how bad it is, what is wrong, and where to read what to do.
func TestAlertsTellWhatToDo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(operationsPage)
	if err != nil {
		t.Fatal(err)
	}
	anchors := make(map[string]bool)
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllSubmatch(text, -1) {
		anchors[strings.ReplaceAll(strings.ToLower(string(heading[1])), " ", "-")] = true
	}
	for _, a := range readAlerts(t) {
		if severity := a.Labels["severity"]; !slices.Contains([]string{"critical", "warning", "info"}, severity) {
			t.Errorf("%s has the severity %q", a.Name, severity)
		}
		if a.Annotations["summary"] == "" || !strings.HasSuffix(a.Annotations["description"], ".") {
			t.Errorf("%s does not say what is the matter: %q", a.Name, a.Annotations)
		}
		anchor, ok := strings.CutPrefix(a.Annotations["runbook_url"], runbook)
		if !ok || anchor != strings.ToLower(a.Name) || !anchors[anchor] {
			t.Errorf("%s points to %q, which is no heading of its name", a.Name, a.Annotations["runbook_url"])
		}
	}
}

// The dashboard has variables for data source, job and instance. Its panels say what they show, and do not
// overlap.
func TestDashboard(t *testing.T) {
	t.Parallel()
	d := readDashboard(t)
	var variables []string
	for _, v := range d.Templating.List {
		variables = append(variables, v.Name)
	}
	if want := []string{"datasource", "job", "instance"}; !slices.Equal(variables, want) {
		t.Errorf("the variables are %q, want %q", variables, want)
	}
	ids, cells := make(map[int]bool), make(map[string]string)
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && (p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("the panel %d, %q, is not complete", p.ID, p.Title)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("the panel %q does not fit: %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				cell := fmt.Sprintf("%d,%d", x, y)
				if other, taken := cells[cell]; taken {
					t.Fatalf("the panel %q lies upon %q", p.Title, other)
				}
				cells[cell] = p.Title
			}
		}
		for _, target := range p.Targets {
			if !strings.Contains(target.Expr, `job=~"$job"`) || !strings.Contains(target.Expr, `instance=~"$instance"`) {
				t.Errorf("the panel %q does not heed the variables: %s", p.Title, target.Expr)
			}
		}
	}
}
