package main

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionOf(t *testing.T) {
	t.Parallel()
	info := func(version string, settings ...debug.BuildSetting) *debug.BuildInfo {
		return &debug.BuildInfo{Main: debug.Module{Version: version}, Settings: settings}
	}
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}, {Key: "vcs.time", Value: "2026-05-04T03:02:01Z"}}
	tests := map[string]struct {
		version, built string
		info           *debug.BuildInfo
		want           build
	}{
		"nothing known": {want: build{"development", "unknown", "unknown"}},
		"go run":        {info: info("(devel)"), want: build{"development", "unknown", "unknown"}},
		"go install":    {info: info("v1.2.3"), want: build{"v1.2.3", "unknown", "unknown"}},
		"go build":      {info: info("", vcs...), want: build{"development", "abc123 of 2026-05-04T03:02:01Z", "unknown"}},
		"changed files": {
			info: info("", append(vcs, debug.BuildSetting{Key: "vcs.modified", Value: "true"})...),
			want: build{"development", "abc123 of 2026-05-04T03:02:01Z, with changes", "unknown"},
		},
		"release": {
			version: "v2.0.0", built: "2026-06-01T00:00:00Z", info: info("v1.2.3", vcs...),
			want: build{"v2.0.0", "abc123 of 2026-05-04T03:02:01Z", "2026-06-01T00:00:00Z"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := versionOf(tt.version, tt.built, tt.info)
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			var text strings.Builder
			if err := printVersion(&text, got); err != nil || !strings.Contains(text.String(), got.commit) {
				t.Errorf("printed %q, %v", &text, err)
			}
		})
	}
}
