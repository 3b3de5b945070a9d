// Package analytics counts messages by carrier, region and currency, and draws the answers from the
// counts: which carrier delivers, how fast, and at what cost.
//
// The package is pure. It does no I/O, reads no clock and draws no random number.
//
// # How the counts stay exact
//
// What a message adds to the counts is a function of its row alone: its Contribution. A commit that
// changes messages takes the old contribution of each away and adds the new one, and writes the
// difference, a Delta, in its own transaction, as one new row. So there is no counter that two
// commits would wait for, and the sum of all deltas is the count over all messages, whatever the
// order of the receipts and however many replicas write.
//
// Prices are not part of a contribution. A delta has the segments, and the cost where a receipt names
// it; the rate card is applied when a question is answered. A new card is in force at once for every
// day that it names, and no count depends on which card a replica had when it wrote.
//
// # What a store does
//
// In a commit, MakePlan calls ContributionOf for a message that exists before it folds anything into
// it, and again after Judge.Settle:
//
//	delta.Remove(before) // not for a new message
//	delta.Add(after)
//
// It merges what ingest has observed of the commits before (Delta.Observe), and the store inserts
// delta.Encode() as a row of a table of deltas, unless delta.Empty().
//
// Compaction moves deltas into rollups, in one transaction and one compactor at a time:
//
//  1. take a bounded number of rows from the table of deltas, by their ids, and MergeEncoded them
//     into one Delta;
//  2. for each row of Delta.Rollups(now), MergeEncoded the rollup stored for its level and bucket,
//     and write Rollup.Encode() in its place, which bounds it;
//  3. delete the rows that were taken, and now and then the rollups that are older than Level.Keep.
//
// A rollup is a row (level, bucket, counts): the delta of one bucket against nothing, with the
// counts and histograms of all its keys in one value. So a second of traffic is written in a handful
// of rows, and an answer for 90 days reads about a hundred, however many carriers there are.
//
// A rollup keeps MaxNames names of carriers, those with the most messages, and counts the others as
// OtherCarriers. So does an answer. That is exact for what carriers have together, as counts add up wherever they
// are. Deltas need no bound: a commit bounds them.
//
// Messages that are older than the tables of analytics are counted once, when the schema is brought up
// to date: Add for each, after Contribution.Coarsen, in deltas of some thousand. Messages that
// retention deletes stay counted, until the rollups are as old: a delta names no message and no
// person's number.
//
// A question is answered in one snapshot of the database:
//
//	for each rollup in a Range of sum.Ranges(): sum.Add(counts)
//	for each row of the table of deltas:        sum.Add(delta)
//
// # What ingest, the API and the console do
//
// Ingest keeps a Delta of its own. Once a commit is durable it calls Observe for each receipt in it,
// and passes the Delta along with the next commit that succeeds. Before this process answers a question
// it commits the Delta by itself, so an answer has the latencies of all receipts that the process has
// acknowledged; those of other replicas may be missing for up to a second. What a crash loses is the
// latency of the last commits, never a message.
//
// The API and the console read the question (ParseLength, NewFilter). Package answers makes a Sum of it
// (NewWindow, NewSum), has the store fill the Sum, and calls Sum.Report. Report.WriteCSV and Report.WriteSeriesCSV are the export.
//
// # Where to find what
//
//	Message → Contribution                contribution.go
//	Contribution → Delta → bytes          delta.go, counts.go, histogram.go, encoding.go
//	Delta → rollups, window → ranges      level.go, window.go
//	how many carriers have names          names.go
//	rollups, deltas and prices → Sum      sum.go, ratecard.go, ratecard_file.go, money.go
//	Sum → Report → CSV                    report.go, recommendation.go, csv.go
//	Sum → share of slow messages          slow.go
package analytics
