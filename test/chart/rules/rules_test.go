// Package rules evaluates the chart's alerts with Prometheus's own engine: each fires on its case and keeps quiet on the other.
package rules

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"go.yaml.in/yaml/v3"
)

type alert struct {
	Alert string
	Expr  string
	For   string
}

type alertCase struct {
	Alert string
	At    int
	Fires []string
	Quiet []string
}

func read(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// holds says whether the expression has a result at every minute of the last `wait`.
func holds(t *testing.T, series []string, expr string, at, wait time.Duration) bool {
	t.Helper()
	load := "load 1m\n"
	for _, one := range series {
		load += "  " + strings.Replace(one, "{", `{namespace="n",`, 1) + "\n"
	}
	storage := promqltest.LoadedStorage(t, load)
	defer storage.Close()
	engine := promqltest.NewTestEngine(t, false, 0, 100_000)
	for when := at - wait; when <= at; when += time.Minute {
		query, err := engine.NewInstantQuery(context.Background(), storage, nil, expr, time.Unix(0, 0).Add(when))
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		result := query.Exec(context.Background())
		if result.Err != nil {
			t.Fatalf("%s: %v", expr, result.Err)
		}
		vector, err := result.Vector()
		if err != nil {
			t.Fatal(err)
		}
		if len(vector) == 0 {
			return false
		}
	}
	return true
}

func TestAlerts(t *testing.T) {
	var file struct {
		Groups []struct{ Rules []alert }
	}
	var cases []alertCase
	read(t, "../../../helm/ringtail/files/rules.yaml", &file)
	read(t, "cases.yaml", &cases)
	byName := map[string]alertCase{}
	for _, one := range cases {
		byName[one.Alert] = one
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			t.Run(rule.Alert, func(t *testing.T) {
				one, found := byName[rule.Alert]
				if !found {
					t.Fatal("has no case")
				}
				wait := time.Duration(0)
				if rule.For != "" {
					parsed, err := model.ParseDuration(rule.For)
					if err != nil {
						t.Fatal(err)
					}
					wait = time.Duration(parsed)
				}
				expr := strings.ReplaceAll(rule.Expr, "SELECTOR", `namespace="n",pod=~"(rt-router|rt-sampler)-.+"`)
				at := time.Duration(one.At) * time.Minute
				if !holds(t, one.Fires, expr, at, wait) {
					t.Error("does not fire")
				}
				if holds(t, one.Quiet, expr, at, wait) {
					t.Error("fires on the quiet case")
				}
				fmt.Println("ok", rule.Alert)
			})
		}
	}
}

func TestDashboardQueriesParse(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	read(t, "../../../helm/ringtail/files/dashboard.json", &dashboard)
	promql := parser.NewParser(parser.Options{})
	variables := strings.NewReplacer("$__rate_interval", "5m", "$namespace", "n", "$pod", "p")
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			if _, err := promql.ParseExpr(variables.Replace(target.Expr)); err != nil {
				t.Errorf("%s: %s: %v", panel.Title, target.Expr, err)
			}
		}
	}
}
