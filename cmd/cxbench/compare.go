package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// compare prints the figures of two runs side by side, with the ratio of the second to the first.
func compare(folders []string, out io.Writer) error {
	if len(folders) != 2 {
		return errors.New("usage: cxbench compare FOLDER FOLDER")
	}
	var runs [2]summary
	for i, folder := range folders {
		text, err := os.ReadFile(filepath.Join(folder, summaryFile))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &runs[i]); err != nil {
			return fmt.Errorf("%s: %w", folder, err)
		}
		fmt.Fprintf(out, "- %s: version %s, %s; %s; %s\n", folder, runs[i].Version, runs[i].Date.Format("2 January 2006 15:04 MST"),
			runs[i].Machine, runs[i].Strain)
	}
	fmt.Fprintln(out)
	comparison([2]string{filepath.Base(folders[0]), filepath.Base(folders[1])}, runs).print(out)
	return nil
}

// comparison returns a table of the figures that both runs have, in the order of the first run.
func comparison(names [2]string, runs [2]summary) table {
	type key struct{ section, name string }
	after := make(map[key]figure)
	for _, f := range runs[1].Figures {
		after[key{f.Section, f.Name}] = f
	}
	t := table{{"figure", names[0], names[1], "second / first"}}
	for _, before := range runs[0].Figures {
		f, ok := after[key{before.Section, before.Name}]
		if !ok || len(f.Values) == 0 || len(before.Values) == 0 {
			continue
		}
		times := ""
		if before.typical() != 0 {
			times = fmt.Sprintf("%.2f", f.typical()/before.typical())
		}
		t = append(t, []string{strings.ToLower(before.Section) + ": " + before.Name, before.reached(), f.reached(), times})
	}
	return t
}
