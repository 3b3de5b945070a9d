package lint

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
	"sigs.k8s.io/yaml"
)

// alerts reads the rules as promtool and Prometheus read them: an unknown field, a wrong expression or a
// broken template is an error.
func alerts(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile("../prometheus/alerts.yaml", false, model.UTF8Validation)
	for _, err := range errs {
		t.Error(err)
	}
	if len(errs) > 0 {
		t.FailNow()
	}
	rules := make(map[string]rulefmt.Rule)
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if _, twice := rules[rule.Alert]; twice || rule.Alert == "" {
				t.Errorf("the rule %q exists twice, or is not an alert", rule.Alert)
			}
			rules[rule.Alert] = rule
		}
	}
	return rules
}

// Each alert is raised by what it is about, and not by what looks like it. A series has one value each
// minute, in the notation of promtool: 0+5x10 begins at 0 and rises ten times by 5. The
// expression is evaluated at the last of them; how long it must hold is not checked.
func TestAlertsAreRaised(t *testing.T) {
	rules := alerts(t)
	for name, cases := range alertCases {
		rule, ok := rules[name]
		if !ok {
			t.Errorf("there is no alert %s", name)
			continue
		}
		for series, want := range cases {
			if got := raised(t, rule.Expr, series); got != want {
				t.Errorf("%s: raised is %t, want %t, by\n%s", name, got, want, series)
			}
		}
	}
	for name := range rules {
		raises := false
		for _, want := range alertCases[name] {
			raises = raises || want
		}
		if !raises || len(alertCases[name]) < 2 {
			t.Errorf("%s has no case in which it is raised, or none in which it is not", name)
		}
	}
}

// raised reports whether the expression has a result at the end of the series, one on each line.
func raised(t *testing.T, expression, series string) bool {
	t.Helper()
	var all []promql.Series
	end := int64(0)
	for line := range strings.Lines(series) {
		metric, values, err := parser.ParseSeriesDesc(strings.TrimSpace(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		s := promql.Series{Metric: metric}
		for i, v := range values {
			at := int64(i) * time.Minute.Milliseconds()
			if !v.Omitted {
				s.Floats = append(s.Floats, promql.FPoint{T: at, F: v.Value})
			}
			end = max(end, at)
		}
		all = append(all, s)
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute})
	defer engine.Close()
	query, err := engine.NewInstantQuery(t.Context(), queryable(all), nil, expression, time.UnixMilli(end))
	if err != nil {
		t.Fatal(err)
	}
	defer query.Close()
	vector, err := query.Exec(t.Context()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return slices.ContainsFunc(vector, func(s promql.Sample) bool { return !math.IsNaN(s.F) })
}

// queryable is a storage with some series.
type queryable []promql.Series

func (q queryable) Querier(int64, int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		set := &seriesSet{}
		for _, s := range q {
			if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Metric.Get(m.Name)) }) {
				set.waiting = append(set.waiting, s)
			}
		}
		return set
	}}, nil
}

// seriesSet implements storage.SeriesSet.
type seriesSet struct {
	waiting []promql.Series
	current promql.Series
}

func (s *seriesSet) Next() bool {
	if len(s.waiting) == 0 {
		return false
	}
	s.current, s.waiting = s.waiting[0], s.waiting[1:]
	return true
}

func (s *seriesSet) At() storage.Series                { return promql.NewStorageSeries(s.current) }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }

// Prometheus gets the rules, finds the replicas, and has a token that lets it in.
func TestPrometheusConfiguration(t *testing.T) {
	text, err := os.ReadFile("../prometheus/prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cfg struct {
		Global        map[string]string `json:"global"`
		RuleFiles     []string          `json:"rule_files"`
		ScrapeConfigs []struct {
			JobName       string `json:"job_name"`
			Authorization struct {
				CredentialsFile string `json:"credentials_file"`
			} `json:"authorization"`
			DNS []struct {
				Names []string `json:"names"`
				Type  string   `json:"type"`
				Port  int      `json:"port"`
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.UnmarshalStrict(text, &cfg); err != nil {
		t.Fatal(err)
	}
	if len(cfg.RuleFiles) != 1 || len(cfg.ScrapeConfigs) != 1 || len(cfg.ScrapeConfigs[0].DNS) != 1 {
		t.Fatalf("%+v", cfg)
	}
	p := project(t)
	scrape, prometheus := cfg.ScrapeConfigs[0], p.Services["prometheus"]
	if !slices.ContainsFunc(prometheus.Configs, func(c types.ServiceConfigObjConfig) bool { return c.Target == "/etc/prometheus/"+cfg.RuleFiles[0] }) {
		t.Errorf("%v is not mounted", cfg.RuleFiles)
	}
	if len(prometheus.Secrets) != 1 || scrape.Authorization.CredentialsFile != "/run/secrets/"+prometheus.Secrets[0].Source {
		t.Errorf("the token is at %s", scrape.Authorization.CredentialsFile)
	}
	if target := scrape.DNS[0]; len(target.Names) != 1 || p.Services[target.Names[0]].Name != "cxbridge" || target.Port != 3000 {
		t.Errorf("the targets are %+v", target)
	}
}
