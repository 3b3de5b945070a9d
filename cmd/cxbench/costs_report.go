package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/cxbridge/cxbridge/internal/proof"
)

// costReport is what a receipt costs, sent one by one, on every server.
type costReport struct {
	Machine   machine       `json:"machine"`
	Databases []string      `json:"databases"`
	Settings  *costSettings `json:"settings"`
	Servers   []serverCosts `json:"servers"`
}

// serverCosts are what was counted under a load of so many receipts; system calls, allocations and the
// profile have loads of their own.
type serverCosts struct {
	Target     string        `json:"target"`
	Receipts   int64         `json:"receipts"`
	PerSecond  float64       `json:"receipts_per_second"`
	CPU        []cpuShare    `json:"cpu"`
	Written    int64         `json:"written_bytes"`      // to disks, by the server
	Database   *databaseWork `json:"database,omitempty"` // on PostgreSQL
	Statements []statement   `json:"statements,omitempty"`

	Syscalls    syscallCounts `json:"syscalls"`
	Allocations allocations   `json:"allocations,omitzero"` // of cxbridge
	Profile     profile       `json:"profile,omitzero"`
}

type cpuShare struct {
	Role string `json:"role"`
	proof.CPUTimes
}

// syncCalls write a file through to the disk.
var syncCalls = []string{"fsync", "fdatasync"}

func (r *costReport) databases() []string { return r.Databases }

func (r *costReport) verdict() error { return nil }

func (r *costReport) print(w io.Writer) {
	fmt.Fprintf(w, "- %s\n", r.Machine)
	for _, line := range r.Databases {
		fmt.Fprintf(w, "- %s\n", line)
	}
	s := r.Settings
	fmt.Fprintf(w, "- %d connections, one receipt per request, closed loop; %s counted, %s with strace, %s profiled\n", s.Connections, s.Duration, s.Traced, s.Duration)
	r.printWork(w)
	r.printCPU(w)
	for i := range r.Servers {
		r.Servers[i].printStatements(w)
	}
	r.printSyscalls(w)
	for i := range r.Servers {
		r.Servers[i].printProfile(w)
	}
}

// each divides by the receipts that were counted.
func (s *serverCosts) each(n int64) float64 { return float64(n) / float64(max(1, s.Receipts)) }

func (r *costReport) printWork(w io.Writer) {
	fmt.Fprint(w, "\n### Statements, log and allocations of a receipt\n\n")
	t := table{r.heads("of a receipt")}
	add := func(name string, value func(*serverCosts) (float64, bool)) {
		row := []string{name}
		for i := range r.Servers {
			cell := ""
			if v, ok := value(&r.Servers[i]); ok {
				cell = number(v)
			}
			row = append(row, cell)
		}
		t = append(t, row)
	}
	ofDatabase := func(name string, pick func(*databaseWork) int64) {
		add(name, func(s *serverCosts) (float64, bool) {
			if s.Database == nil {
				return 0, false
			}
			return s.each(pick(s.Database)), true
		})
	}
	add("receipts/s meanwhile", func(s *serverCosts) (float64, bool) { return s.PerSecond, true })
	ofDatabase("statements, BEGIN and COMMIT among them", func(d *databaseWork) int64 { return d.Statements })
	ofDatabase("commits", func(d *databaseWork) int64 { return d.Commits })
	ofDatabase("rows inserted", func(d *databaseWork) int64 { return d.Inserted })
	ofDatabase("rows updated", func(d *databaseWork) int64 { return d.Updated })
	ofDatabase("WAL bytes", func(d *databaseWork) int64 { return d.WALBytes })
	ofDatabase("WAL records", func(d *databaseWork) int64 { return d.WALRecords })
	ofDatabase("whole pages in the WAL", func(d *databaseWork) int64 { return d.WALImages })
	ofDatabase("syncs of the WAL", func(d *databaseWork) int64 { return d.WALSyncs })
	add("bytes that the server wrote to disks, its log among them", func(s *serverCosts) (float64, bool) { return s.each(s.Written), s.Written > 0 })
	add("objects allocated", func(s *serverCosts) (float64, bool) { return s.objects(), s.Allocations.Receipts > 0 })
	add("bytes allocated", func(s *serverCosts) (float64, bool) { return s.bytes(), s.Allocations.Receipts > 0 })
	t.print(w)
}

func (s *serverCosts) objects() float64 {
	return float64(s.Allocations.Objects) / float64(max(1, s.Allocations.Receipts))
}

func (s *serverCosts) bytes() float64 {
	return float64(s.Allocations.Bytes) / float64(max(1, s.Allocations.Receipts))
}

func (r *costReport) heads(first string) []string {
	row := []string{first}
	for _, s := range r.Servers {
		row = append(row, label(s.Target))
	}
	return row
}

func (r *costReport) printCPU(w io.Writer) {
	fmt.Fprint(w, "\n### CPU time of a receipt, in microseconds: in the program + in the kernel for it\n\n")
	t := table{r.heads("whose")}
	for _, role := range cpuRoles {
		row := []string{role}
		for _, s := range r.Servers {
			cell := ""
			for _, share := range s.CPU {
				if share.Role == role {
					n := float64(max(1, s.Receipts))
					cell = fmt.Sprintf("%.1f + %.1f", micros(share.User)/n, micros(share.System)/n)
				}
			}
			row = append(row, cell)
		}
		t = append(t, row)
	}
	t.print(w)
}

func (s *serverCosts) printStatements(w io.Writer) {
	if len(s.Statements) == 0 {
		return
	}
	fmt.Fprintf(w, "\n### Statements of %s that took most of the time\n\n", label(s.Target))
	t := table{{"statement", "calls per receipt", "rows per call", "µs per receipt", "WAL bytes per receipt"}}
	for _, one := range s.Statements {
		t = append(t, []string{
			"`" + strings.NewReplacer("|", "∣", "`", "'").Replace(one.Text) + "`", fmt.Sprintf("%.4f", s.each(one.Calls)),
			fmt.Sprintf("%.1f", float64(one.Rows)/float64(max(1, one.Calls))), fmt.Sprintf("%.2f", s.each(one.Time.Nanoseconds())/1000),
			fmt.Sprintf("%.1f", s.each(one.WALBytes)),
		})
	}
	t.print(w)
}

// rareCalls is the number of calls per receipt below which a system call is not shown.
const rareCalls = 0.01

// printSyscalls shows the calls that are not rare.
func (r *costReport) printSyscalls(w io.Writer) {
	fmt.Fprint(w, "\n### System calls of a receipt, while strace slows the server down\n\n")
	t := table{r.heads("call")}
	var names []string
	seen := make(map[string]bool)
	for _, s := range r.Servers {
		if s.Syscalls.Missing != "" {
			fmt.Fprintf(w, "Not measured: %s.\n", s.Syscalls.Missing)
			return
		}
		for _, line := range s.Syscalls.Calls {
			if !seen[line.Name] && s.Syscalls.perReceipt(line.Name) >= rareCalls {
				seen[line.Name] = true
				names = append(names, line.Name)
			}
		}
	}
	row := []string{"receipts/s meanwhile"}
	for _, s := range r.Servers {
		row = append(row, humanize.Comma(int64(s.Syscalls.PerSecond)))
	}
	t = append(t, row)
	for _, name := range names {
		row := []string{name}
		for _, s := range r.Servers {
			row = append(row, fmt.Sprintf("%.3f", s.Syscalls.perReceipt(name)))
		}
		t = append(t, row)
	}
	row = []string{"all"}
	for _, s := range r.Servers {
		row = append(row, fmt.Sprintf("%.2f", s.Syscalls.perReceipt()))
	}
	append(t, row).print(w)
}

func (s *serverCosts) printProfile(w io.Writer) {
	if s.Profile.Total == 0 {
		return
	}
	fmt.Fprintf(w, "\n### Where %s spends its CPU time\n\n", label(s.Target))
	t := table{{"piece", "share", "of it allocating", "of it in system calls"}}
	share := func(part float64) string { return fmt.Sprintf("%.1f %%", 100*part/s.Profile.Total.Seconds()) }
	var allocating, calls float64
	for _, p := range s.Profile.Pieces {
		t = append(t, []string{p.Name, share(p.Time.Seconds()), share(p.Allocating.Seconds()), share(p.Syscalls.Seconds())})
		allocating, calls = allocating+p.Allocating.Seconds(), calls+p.Syscalls.Seconds()
	}
	t = append(t, []string{"all", "100 %", share(allocating), share(calls)})
	t.print(w)
	fmt.Fprintf(w, "\nThe profile is %s, its lists are %s.\n", s.Profile.File, s.Profile.Top)
}

func (r *costReport) figures() (all []figure) {
	for i := range r.Servers {
		s := &r.Servers[i]
		add := func(name, unit string, value float64) {
			all = append(all, measuredOnce(inCosts, label(s.Target)+", "+name, unit, value))
		}
		for _, share := range s.CPU {
			add("CPU: "+share.Role, "µs", micros(share.Sum())/float64(max(1, s.Receipts)))
		}
		if d := s.Database; d != nil {
			add("statements", "", s.each(d.Statements))
			add("WAL", "bytes", s.each(d.WALBytes))
			add("syncs of the WAL", "", s.each(d.WALSyncs))
		}
		if s.Syscalls.Missing == "" {
			add("system calls of the server", "", s.Syscalls.perReceipt())
			if s.Target == "d" {
				add("syncs of files, while traced", "", s.Syscalls.perReceipt(syncCalls...))
			}
		}
		if s.Allocations.Receipts > 0 {
			add("objects allocated", "", s.objects())
			add("bytes allocated", "bytes", s.bytes())
		}
	}
	return all
}
