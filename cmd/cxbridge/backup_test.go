package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/sqlitedb"
)

func TestBackup(t *testing.T) {
	t.Parallel()
	source := "sqlite:" + auditedDatabase(t, "")
	file := filepath.Join(t.TempDir(), "copy.db")
	p := newTrial(map[string]string{"DATABASE_URL": source})
	if code := p.run(t.Context(), []string{"backup", file}); code != exitOK || p.err.Len() > 0 ||
		!strings.HasPrefix(p.out.String(), source+": copied to "+file+" (") || !strings.Contains(p.out.String(), "KiB") {
		t.Fatalf("exit code %d: %s%s", code, &p.out, &p.err)
	}
	again := newTrial(map[string]string{"DATABASE_URL": source})
	if code := again.run(t.Context(), []string{"backup", file}); code != exitFailure || !strings.Contains(again.err.String(), "so that no file is overwritten") {
		t.Errorf("the file is there: exit code %d: %s", code, &again.err)
	}
	verify := newTrial(nil)
	verify.openStore = openStore
	if code := verify.run(t.Context(), []string{"audit", "verify", "--database-url", "sqlite:" + file}); code != exitOK {
		t.Errorf("the audit of the copy: exit code %d: %s%s", code, &verify.out, &verify.err)
	}
}

// On a terminal a bar is drawn, up to 100%.
func TestBackupProgress(t *testing.T) {
	t.Parallel()
	var drawn bytes.Buffer
	bar := backupProgress{terminal: true, out: &drawn}
	path := auditedDatabase(t, "")
	if _, err := sqlitedb.Backup(t.Context(), path, filepath.Join(t.TempDir(), "copy.db"), bar.reach); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(drawn.String(), "100%") {
		t.Errorf("drawn: %q", drawn.String())
	}
}
