package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/util/annotations"
)

// queryable is a storage of a few series in memory.
type queryable []storage.Series

// load makes the series of a test: values at every interval, in the notation that Prometheus' own tests have.
func (group testGroup) load() (queryable, error) {
	var all queryable
	for _, input := range group.InputSeries {
		own, values, err := promQL.ParseSeriesDesc(input.Series + " " + input.Values)
		if err != nil {
			return nil, err
		}
		chunk := chunkenc.NewXORChunk()
		appender, err := chunk.Appender()
		if err != nil {
			return nil, err
		}
		for index, value := range values {
			if value.Histogram != nil {
				return nil, fmt.Errorf("%s: native histograms are not known here", input.Series)
			}
			if !value.Omitted {
				at := time.Duration(index) * time.Duration(group.Interval)
				appender.Append(0, at.Milliseconds(), value.Value)
			}
		}
		all = append(all, &storage.SeriesEntry{
			Lset:             own,
			SampleIteratorFn: func(chunkenc.Iterator) chunkenc.Iterator { return chunk.Iterator(nil) },
		})
	}
	slices.SortFunc(all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return all, nil
}

func (all queryable) Querier(_, _ int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: all.matching}, nil
}

func (all queryable) matching(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	found := slices.DeleteFunc(slices.Clone(all), func(series storage.Series) bool {
		return slices.ContainsFunc(matchers, func(matcher *labels.Matcher) bool {
			return !matcher.Matches(series.Labels().Get(matcher.Name))
		})
	})
	return &seriesSet{rest: found}
}

type seriesSet struct {
	current storage.Series
	rest    []storage.Series
}

func (set *seriesSet) Next() bool {
	if len(set.rest) == 0 {
		return false
	}
	set.current, set.rest = set.rest[0], set.rest[1:]
	return true
}

func (set *seriesSet) At() storage.Series                { return set.current }
func (set *seriesSet) Err() error                        { return nil }
func (set *seriesSet) Warnings() annotations.Annotations { return nil }
