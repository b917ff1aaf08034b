// Command alert-rules tests alerting rules, as `promtool test rules` does and from the same files:
//
//	alert-rules TESTS.yaml...
//
// promtool itself takes more than eight minutes to build, most of it for the clouds that Prometheus discovers its targets in.
// This is built of Prometheus' own engine, parser and templates alone. Of a test file it reads what tests alerts
// (rule_files, evaluation_interval, tests[].interval, input_series, alert_rule_test) and refuses anything else.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"
)

type testFile struct {
	RuleFiles          []string       `yaml:"rule_files"`
	EvaluationInterval model.Duration `yaml:"evaluation_interval"`
	Tests              []testGroup    `yaml:"tests"`
}

type testGroup struct {
	Name        string         `yaml:"name"`
	Interval    model.Duration `yaml:"interval"`
	InputSeries []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	AlertRuleTests []alertTest `yaml:"alert_rule_test"`
}

type alertTest struct {
	EvalTime  model.Duration `yaml:"eval_time"`
	Alertname string         `yaml:"alertname"`
	ExpAlerts []struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations"`
	} `yaml:"exp_alerts"`
}

var promQL = parser.NewParser(parser.Options{})

func main() {
	failed := len(os.Args) < 2
	for _, path := range os.Args[1:] {
		if err := testRules(path); err != nil {
			failed = true
			fmt.Fprintf(os.Stderr, "%s:\n%v\n", path, err)
		}
	}
	if failed {
		os.Exit(1)
	}
}

func testRules(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var tests testFile
	if err := decoder.Decode(&tests); err != nil {
		return err
	}
	if tests.EvaluationInterval == 0 {
		tests.EvaluationInterval = model.Duration(time.Minute)
	}
	rules, err := readRules(filepath.Dir(path), tests.RuleFiles)
	if err != nil {
		return err
	}
	var failures []error
	for _, group := range tests.Tests {
		for _, failure := range group.run(rules, time.Duration(tests.EvaluationInterval)) {
			failures = append(failures, fmt.Errorf("  %s: %w", group.Name, failure))
		}
	}
	return errors.Join(failures...)
}

// readRules reads alerting rules by name, as Prometheus reads and checks them.
func readRules(directory string, paths []string) (map[string]rulefmt.Rule, error) {
	rules := map[string]rulefmt.Rule{}
	for _, path := range paths {
		if !filepath.IsAbs(path) {
			path = filepath.Join(directory, path)
		}
		groups, errs := rulefmt.ParseFile(path, false, model.UTF8Validation, promQL, slog.New(slog.DiscardHandler))
		if len(errs) > 0 {
			return nil, errors.Join(errs...)
		}
		for _, group := range groups.Groups {
			for _, rule := range group.Rules {
				if rule.Alert == "" || rule.KeepFiringFor != 0 || group.Interval != 0 {
					return nil, fmt.Errorf("%s: a recording rule, keep_firing_for and an interval are not known here", path)
				}
				rules[rule.Alert] = rule
			}
		}
	}
	return rules, nil
}

// run evaluates each rule that is asked about at every interval from 0 to the last time that is asked about.
func (group testGroup) run(rules map[string]rulefmt.Rule, every time.Duration) []error {
	if len(group.AlertRuleTests) == 0 {
		return []error{errors.New("tests nothing")}
	}
	series, err := group.load()
	if err != nil {
		return []error{err}
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples:           1_000_000,
		Timeout:              time.Minute,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
		Parser:               promQL,
	})
	defer engine.Close()
	var failures []error
	for _, test := range group.AlertRuleTests {
		rule, isKnown := rules[test.Alertname]
		if !isKnown {
			failures = append(failures, fmt.Errorf("there is no alert %s", test.Alertname))
			continue
		}
		firing, err := firingAt(rule, engine, series, time.Duration(test.EvalTime), every)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", test.Alertname, err))
		} else if expected := test.expected(); !slices.Equal(expected, firing) {
			failures = append(failures, fmt.Errorf("%s at %s:\n    expected %s\n    firing   %s",
				test.Alertname, test.EvalTime, strings.Join(expected, "\n             "), strings.Join(firing, "\n             ")))
		}
	}
	return failures
}

// expected alerts, each as firingAt gives them.
func (test alertTest) expected() []string {
	var alerts []string
	for _, alert := range test.ExpAlerts {
		own := maps.Clone(alert.Labels)
		if own == nil {
			own = map[string]string{}
		}
		own[labels.AlertName] = test.Alertname
		alerts = append(alerts, text(labels.FromMap(own), labels.FromMap(alert.Annotations)))
	}
	slices.Sort(alerts)
	return alerts
}

// firingAt says which alerts of a rule fire at a time after the beginning, sorted. An alert fires once its expression has held
// at every evaluation for as long as the rule says (rules.AlertingRule.Eval).
func firingAt(rule rulefmt.Rule, engine *promql.Engine, series queryable, at, every time.Duration) ([]string, error) {
	query := func(ctx context.Context, expr string, when time.Time) (promql.Vector, error) {
		asked, err := engine.NewInstantQuery(ctx, series, nil, expr, when)
		if err != nil {
			return nil, err
		}
		defer asked.Close()
		vector, err := asked.Exec(ctx).Vector()
		// What it holds is reused when the query is closed.
		return slices.Clone(vector), err
	}
	beginning := time.Unix(0, 0).UTC()
	ctx := context.Background()
	var firing []string
	activeSince := map[string]time.Time{}
	for when := beginning; !when.After(beginning.Add(at)); when = when.Add(every) {
		vector, err := query(ctx, rule.Expr, when)
		if err != nil {
			return nil, err
		}
		active := map[string]time.Time{}
		firing = nil
		for _, sample := range vector {
			own, annotations, err := expand(ctx, rule, sample, query, when)
			if err != nil {
				return nil, err
			}
			id := own.String()
			active[id] = when
			if since, isOld := activeSince[id]; isOld {
				active[id] = since
			}
			if when.Sub(active[id]) >= time.Duration(rule.For) {
				firing = append(firing, text(own, annotations))
			}
		}
		activeSince = active
	}
	slices.Sort(firing)
	return firing, nil
}

// expand makes the labels and the annotations of one alert.
func expand(ctx context.Context, rule rulefmt.Rule, sample promql.Sample, query template.QueryFunc, when time.Time) (own, annotations labels.Labels, err error) {
	data := template.AlertTemplateData(sample.Metric.Map(), nil, "", sample)
	expanded := func(texts map[string]string) (map[string]string, error) {
		all := map[string]string{}
		for name, source := range texts {
			source = "{{$labels := .Labels}}{{$value := .Value}}" + source
			expander := template.NewTemplateExpander(ctx, source, rule.Alert, data, model.TimeFromUnixNano(when.UnixNano()), query, nil, nil)
			text, err := expander.Expand()
			if err != nil {
				return nil, err
			}
			all[name] = text
		}
		return all, nil
	}
	added, err := expanded(rule.Labels)
	if err != nil {
		return own, annotations, err
	}
	said, err := expanded(rule.Annotations)
	builder := labels.NewBuilder(sample.Metric).Del(labels.MetricName)
	for name, value := range added {
		builder.Set(name, value)
	}
	return builder.Set(labels.AlertName, rule.Alert).Labels(), labels.FromMap(said), err
}

func text(own, annotations labels.Labels) string {
	return own.String() + " " + annotations.String()
}
