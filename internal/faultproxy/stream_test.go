package faultproxy

import (
	"bytes"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// randomBytes are n bytes of which no two parts are alike.
func randomBytes(t *rapid.T, label string, atMost int) []byte {
	data := make([]byte, rapid.IntRange(0, atMost).Draw(t, label))
	seed := [32]byte{rapid.Byte().Draw(t, label+" seed")}
	_, _ = rand.NewChaCha8(seed).Read(data) // never fails
	return data
}

// drawFault draws one that loses nothing, with times up to longest and rates from slowest.
func drawFault(t *rapid.T, longest time.Duration, slowest int) Fault {
	var f Fault
	may := rapid.SampledFrom([]bool{false, true})
	if may.Draw(t, "late") {
		f.Latency = time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "latency"))
	}
	if may.Draw(t, "uneven") {
		f.Jitter = time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "jitter"))
	}
	if may.Draw(t, "slow") {
		f.BytesPerSecond = rapid.IntRange(slowest, 100*slowest).Draw(t, "rate")
	}
	f.BlackHole = rapid.IntRange(0, 3).Draw(t, "black hole") == 0
	f.Refuse = may.Draw(t, "refuse")
	return f
}

// spell is a fault, and how long it rules.
type spell struct {
	Fault
	lasts time.Duration
}

func drawSpells(t *rapid.T, longest time.Duration, slowest int) []spell {
	spells := make([]spell, rapid.IntRange(0, 12).Draw(t, "spells"))
	for i := range spells {
		spells[i].Fault = drawFault(t, longest, slowest)
		spells[i].lasts = time.Duration(rapid.Int64Range(0, int64(longest)).Draw(t, "lasts"))
	}
	return spells
}

// conversation sends both ways at once, and closes each side behind it. A side that is given up early
// has heard less.
func conversation(client, server *net.TCPConn, up, down []byte) (heardUp, heardDown []byte) {
	var sides sync.WaitGroup
	for _, side := range []struct {
		from, to *net.TCPConn
		data     []byte
		heard    *[]byte
	}{{client, server, up, &heardUp}, {server, client, down, &heardDown}} {
		sides.Go(func() {
			// It fails when the connection is reset, and then the other side has heard less.
			if _, err := side.from.Write(side.data); err == nil {
				_ = side.from.CloseWrite()
			}
		})
		sides.Go(func() { *side.heard, _ = io.ReadAll(side.to) })
	}
	sides.Wait()
	return heardUp, heardDown
}

func TestStreamsAreWholeUnderEveryFault(t *testing.T) {
	h := newHouse(t)
	rapid.Check(t, func(rt *rapid.T) {
		up, down := randomBytes(rt, "up", 1<<20), randomBytes(rt, "down", 1<<20)
		spells := drawSpells(rt, 3*time.Millisecond, 10<<20)
		client, server := h.connect(t)
		defer client.Close()
		defer server.Close()

		var weather sync.WaitGroup
		weather.Go(func() {
			for _, s := range spells {
				h.Set(s.Fault)
				<-time.After(s.lasts)
			}
			h.Set(Fault{})
		})
		heardUp, heardDown := conversation(client, server, up, down)
		weather.Wait()
		if !bytes.Equal(heardUp, up) || !bytes.Equal(heardDown, down) {
			rt.Fatalf("%d of %d bytes came up, and %d of %d down, or others", len(heardUp), len(up), len(heardDown), len(down))
		}
	})
	h.mustHaveReset(t, 0)
}

func TestWhatIsHeardIsAPrefix(t *testing.T) {
	h := newHouse(t)
	rapid.Check(t, func(rt *rapid.T) {
		up, down := randomBytes(rt, "up", 256<<10), randomBytes(rt, "down", 256<<10)
		fault := drawFault(rt, time.Millisecond, 10<<20)
		after := time.Duration(rapid.Int64Range(0, int64(2*time.Millisecond)).Draw(rt, "after"))
		harm := rapid.SampledFrom([]string{"cut", "reset", "half-close", "half-close clients"}).Draw(rt, "harm")
		heal := Fault{}
		if harm == "cut" {
			heal.CutAfter = int64(rapid.IntRange(1, len(up)+1).Draw(rt, "cut after"))
		}
		client, server := h.connect(t)
		defer client.Close()
		defer server.Close()
		h.Set(fault)

		var harmed sync.WaitGroup
		harmed.Go(func() {
			<-time.After(after)
			switch harm {
			case "reset":
				h.Reset()
			case "half-close":
				h.HalfClose()
			case "half-close clients":
				h.HalfCloseClients()
			}
			h.Set(heal)
		})
		heardUp, heardDown := conversation(client, server, up, down)
		harmed.Wait()
		h.Set(Fault{})
		if !bytes.HasPrefix(up, heardUp) || !bytes.HasPrefix(down, heardDown) {
			rt.Fatal("other bytes came than were sent")
		}
		if harm == "half-close" && !bytes.Equal(heardDown, down) {
			rt.Fatalf("%d of %d bytes came down, though only the way up was closed", len(heardDown), len(down))
		}
		if harm == "half-close clients" && !bytes.Equal(heardUp, up) {
			rt.Fatalf("%d of %d bytes came up, though only the way down was closed", len(heardUp), len(up))
		}
	})
}

// arrival is a byte that came. Times count from the beginning.
type arrival struct {
	value    byte
	sent, at time.Duration
}

// travel sends bytes one by one, with a pause behind each, while the spells rule one after the other
// and the sun shines at last.
func travel(t *testing.T, data []byte, pauses []time.Duration, spells []spell) (arrivals []arrival) {
	synctest.Test(t, func(t *testing.T) {
		w, began := newOneWay(t, 1), time.Now()
		var weather sync.WaitGroup
		defer weather.Wait()
		weather.Go(func() {
			for _, s := range spells {
				w.weather.set(s.Fault)
				time.Sleep(s.lasts)
			}
			w.weather.set(Fault{})
		})
		synctest.Wait() // the first spell rules
		sent := make(chan time.Duration, len(data))
		go func() {
			for i := range data {
				sent <- time.Since(began)
				w.send(t, data[i:i+1], pauses[i])
			}
			w.in.Close()
		}()
		buffer := make([]byte, 1)
		for {
			if _, err := w.out.Read(buffer); err != nil {
				return
			}
			arrivals = append(arrivals, arrival{value: buffer[0], sent: <-sent, at: time.Since(began)})
		}
	})
	return arrivals
}

func TestBytesComeWhenTheWeatherLetsThem(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data := randomBytes(rt, "data", underWay/2) // never so many that the sender is held up
		pauses := make([]time.Duration, len(data))
		for i := range pauses {
			pauses[i] = time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(rt, "pause"))
		}
		spells := drawSpells(rt, time.Minute, 1)
		arrivals := travel(t, data, pauses, spells)
		if len(arrivals) != len(data) {
			rt.Fatalf("%d of %d bytes came", len(arrivals), len(data))
		}
		for i, a := range arrivals {
			if a.value != data[i] {
				rt.Fatalf("byte %d came as another", i)
			}
			checkTime(rt, a, spells)
		}
	})
}

// checkTime fails if a byte came before any fault on its way let it, out of a black hole, or later than
// the end of all faults.
func checkTime(t *rapid.T, a arrival, spells []spell) {
	var from time.Duration
	least := time.Duration(math.MaxInt64)
	for _, s := range spells {
		to := from + s.lasts
		if a.sent <= to && from <= a.at {
			least = min(least, s.Latency)
		}
		if s.BlackHole && from < a.at && a.at < to {
			t.Fatalf("%+v came in a black hole from %v to %v", a, from, to)
		}
		from = to
	}
	if a.at >= from {
		least = 0
	}
	if a.at-a.sent < least {
		t.Fatalf("%+v came sooner than %v", a, least)
	}
	if a.at > max(a.sent, from) {
		t.Fatalf("%+v came later than all faults were over, at %v", a, from)
	}
}
