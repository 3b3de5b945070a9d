package faultproxy

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// oneWay is a pipe between two connections in memory, in the time of a bubble.
type oneWay struct {
	weather *weather
	pipe    *pipe
	in, out net.Conn
	wrote   chan error // what write returns
}

// closer is a net.Pipe, whose sides cannot be closed one by one.
type closer struct{ net.Conn }

func (c closer) CloseWrite() error { return c.Close() }

func newOneWay(t *testing.T, seed uint64) *oneWay {
	in, src := net.Pipe()
	dst, out := net.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	w := &oneWay{weather: newWeather(), in: in, out: out, wrote: make(chan error, 1)}
	w.pipe = &pipe{
		src: src, dst: closer{dst}, weather: w.weather, cuts: true, total: new(atomic.Int64),
		rng: rand.New(rand.NewPCG(seed, 0)), chunks: make(chan chunk, underWay),
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_ = w.pipe.read(ctx) // what it returns after fin is seen on real connections
	}()
	go func() { w.wrote <- w.pipe.write(ctx) }()
	t.Cleanup(func() {
		cancel()
		for _, c := range []net.Conn{in, src, dst, out} {
			c.Close()
		}
		<-read
	})
	return w
}

// send writes each byte as a chunk, with a pause behind it.
func (w *oneWay) send(t *testing.T, data []byte, pause time.Duration) {
	for i := range data {
		if _, err := w.in.Write(data[i : i+1]); err != nil {
			t.Error(err)
			return
		}
		time.Sleep(pause) // of the bubble
	}
}

// arrivals reads n bytes, one by one, and returns when each came, counted from began.
func (w *oneWay) arrivals(t *testing.T, began time.Time, n int) (data []byte, at []time.Duration) {
	t.Helper()
	buffer := make([]byte, 1)
	for range n {
		if _, err := io.ReadFull(w.out, buffer); err != nil {
			t.Fatal(err)
		}
		data, at = append(data, buffer...), append(at, time.Since(began))
	}
	return data, at
}

// mustBeSilent fails if anything comes within so long.
func (w *oneWay) mustBeSilent(t *testing.T, d time.Duration) {
	t.Helper()
	if err := w.out.SetReadDeadline(time.Now().Add(d)); err != nil {
		t.Fatal(err)
	}
	if n, err := w.out.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%d bytes and %v came", n, err)
	}
	if err := w.out.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
}

func numbered(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i)
	}
	return data
}

func TestLatencyIsThatOfALongWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, began := newOneWay(t, 1), time.Now()
		w.weather.set(Fault{Latency: 300 * time.Millisecond})
		sent := numbered(1000)
		go func() {
			w.send(t, sent, time.Millisecond)
			w.in.Close()
		}()
		data, at := w.arrivals(t, began, len(sent))
		if !slices.Equal(data, sent) {
			t.Fatalf("%v came", data)
		}
		for i, at := range at {
			if want := time.Duration(i)*time.Millisecond + 300*time.Millisecond; at != want {
				t.Fatalf("byte %d came after %v, not %v", i, at, want)
			}
		}
		if n, err := w.out.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%d bytes and %v came at the end", n, err)
		}
		if at := time.Since(began); at != 1300*time.Millisecond {
			t.Errorf("the end came after %v", at)
		}
	})
}

func TestJitterIsDrawnAndKeepsTheOrder(t *testing.T) {
	run := func(seed uint64) (late []time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			w, began := newOneWay(t, seed), time.Now()
			w.weather.set(Fault{Latency: 10 * time.Millisecond, Jitter: 40 * time.Millisecond})
			sent := numbered(200)
			go w.send(t, sent, time.Millisecond)
			data, at := w.arrivals(t, began, len(sent))
			if !slices.Equal(data, sent) {
				t.Errorf("%v came", data)
			}
			for i, at := range at {
				late = append(late, at-time.Duration(i)*time.Millisecond)
			}
		})
		return late
	}
	late := run(1)
	if least, most := slices.Min(late), slices.Max(late); least < 10*time.Millisecond || most >= 50*time.Millisecond {
		t.Errorf("bytes were late by %v to %v", least, most)
	}
	if slices.Min(late) == slices.Max(late) {
		t.Error("there was no jitter")
	}
	if !slices.Equal(late, run(1)) {
		t.Error("the same draws delayed otherwise")
	}
	if slices.Equal(late, run(2)) {
		t.Error("other draws delayed the same")
	}
}

func TestBytesPerSecond(t *testing.T) {
	const size = 30_000
	for _, rate := range []int{7, 1000, 1 << 20} {
		synctest.Test(t, func(t *testing.T) {
			w, began := newOneWay(t, 1), time.Now()
			w.weather.set(Fault{BytesPerSecond: rate})
			go func() {
				if _, err := w.in.Write(make([]byte, size)); err != nil {
					t.Error(err)
				}
			}()
			// A fault of less than a nanosecond for each portion.
			ideal := func(n int) time.Duration { return time.Duration(n) * time.Second / time.Duration(rate) }
			_, at := w.arrivals(t, began, size)
			for i, at := range at {
				if at < ideal(i+1) {
					t.Fatalf("at %d/s byte %d came after %v", rate, i, at)
				}
			}
			if most := ideal(size) + time.Millisecond; at[size-1] > most {
				t.Errorf("at %d/s the last byte came after %v, later than %v", rate, at[size-1], most)
			}
			if trickle := at[size/2]; trickle > ideal(size/2)+time.Second {
				t.Errorf("at %d/s half came after %v, not bit by bit", rate, trickle)
			}
		})
	}
}

func TestBlackHoleHoldsAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOneWay(t, 1)
		w.weather.set(Fault{BlackHole: true})
		w.send(t, []byte("held"), time.Second)
		w.in.Close()
		w.mustBeSilent(t, time.Hour)
		w.weather.set(Fault{Latency: time.Minute, BlackHole: true})
		w.mustBeSilent(t, time.Hour)
		healed := time.Now()
		w.weather.set(Fault{})
		data, err := io.ReadAll(w.out)
		if string(data) != "held" || err != nil {
			t.Errorf("%q and %v came", data, err)
		}
		if took := time.Since(healed); took != 0 {
			t.Errorf("it came %v after the hole was gone", took)
		}
	})
}

// A sender is held up at a number of chunks, as it is by the window of TCP.
func TestBlackHoleIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOneWay(t, 1)
		w.weather.set(Fault{BlackHole: true})
		var sent atomic.Int64
		go func() {
			for {
				if _, err := w.in.Write(make([]byte, 1)); err != nil {
					return // closed by the cleanup
				}
				sent.Add(1)
			}
		}()
		w.mustBeSilent(t, time.Hour)
		const inHand = 2 // of read and of write
		if n := sent.Load(); n != underWay+inHand {
			t.Errorf("%d chunks were taken", n)
		}
		w.weather.set(Fault{})
		w.arrivals(t, time.Now(), 3*underWay)
	})
}

func TestWhatIsUnderWayFeelsAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, began := newOneWay(t, 1), time.Now()
		at := func(d time.Duration, f Fault) { time.AfterFunc(d, func() { w.weather.set(f) }) }
		mustCome := func(data string, want time.Duration) {
			t.Helper()
			w.send(t, []byte(data), 0)
			if _, at := w.arrivals(t, began, len(data)); at[len(data)-1] != want {
				t.Errorf("%q came after %v, not %v", data, at[len(data)-1], want)
			}
		}
		w.weather.set(Fault{Latency: time.Hour})
		at(time.Second, Fault{Latency: 3 * time.Second})
		mustCome("a", 3*time.Second)

		w.weather.set(Fault{Latency: time.Hour})
		at(time.Second, Fault{})
		mustCome("b", 4*time.Second)

		w.weather.set(Fault{BytesPerSecond: 1})
		at(1500*time.Millisecond, Fault{BytesPerSecond: 2}) // in the midst of the second byte
		mustCome("cdef", 4*time.Second+time.Second+time.Second/2+time.Second/2+time.Second/2)
	})
}

func TestCutAfterCountsFromSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, began := newOneWay(t, 1), time.Now()
		w.weather.set(Fault{CutAfter: 10})
		w.send(t, numbered(9), 0)
		w.arrivals(t, began, 9)
		w.weather.set(Fault{CutAfter: 20, Latency: time.Second})
		go func() {
			if _, err := w.in.Write(numbered(1000)); err != nil {
				t.Error(err)
			}
		}()
		w.arrivals(t, began, 20)
		if err := <-w.wrote; err != errCut {
			t.Errorf("it ended with %v", err)
		}
		w.mustBeSilent(t, time.Hour)
		if n := w.pipe.total.Load(); n != 29 {
			t.Errorf("%d bytes are counted", n)
		}
	})
}

func TestFinGoesBehindWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newOneWay(t, 1)
		w.weather.set(Fault{Latency: time.Second})
		w.send(t, []byte("before"), 0)
		synctest.Wait()
		w.pipe.fin()
		w.pipe.fin() // once is enough
		synctest.Wait()
		w.send(t, []byte("after"), 0) // is not held up
		data, err := io.ReadAll(w.out)
		if string(data) != "before" || err != nil {
			t.Errorf("%q and %v came", data, err)
		}
		if err := <-w.wrote; err != nil {
			t.Errorf("it ended with %v", err)
		}
	})
}

// broken is a source that has something, and breaks.
type broken struct{ left []byte }

func (b *broken) SetReadDeadline(time.Time) error { return nil }

func (b *broken) Read(into []byte) (int, error) {
	n := copy(into, b.left)
	b.left = b.left[n:]
	return n, syscall.ECONNRESET
}

func TestResetGoesBehindWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dst, out := net.Pipe()
		defer out.Close()
		defer dst.Close()
		w := newWeather()
		w.set(Fault{Latency: time.Second})
		p := &pipe{
			src: &broken{left: []byte("last words")}, dst: closer{dst}, weather: w, total: new(atomic.Int64),
			rng: rand.New(rand.NewPCG(1, 0)), chunks: make(chan chunk, underWay),
		}
		if err := p.read(t.Context()); err != nil {
			t.Fatal(err)
		}
		wrote := make(chan error, 1)
		go func() { wrote <- p.write(t.Context()) }()
		data := make([]byte, len("last words"))
		if _, err := io.ReadFull(out, data); string(data) != "last words" || err != nil {
			t.Errorf("%q and %v came", data, err)
		}
		if err := <-wrote; err != syscall.ECONNRESET {
			t.Errorf("it ended with %v", err)
		}
	})
}
