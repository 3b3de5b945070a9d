package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	chunkSize = 32 << 10 // bytes read at once
	underWay  = 512      // chunks in one direction, so 16 MiB
)

var (
	errCut       = errors.New("the connection is cut after its number of bytes")
	errUnwritten = errors.New("the receiver is gone")
)

// source is the end of a connection that a pipe reads.
type source interface {
	io.Reader
	SetReadDeadline(time.Time) error
}

// sink is the end of a connection that a pipe writes.
type sink interface {
	io.Writer
	CloseWrite() error
}

// chunk is what was read at once, or the end of it all.
type chunk struct {
	data  []byte
	end   error     // io.EOF if the sender closed its side, another if the connection broke; then there is no data
	taken time.Time // when it was read
	luck  float64   // draws the jitter
}

// pipe is one direction of a connection: read fills it, write empties it.
type pipe struct {
	src     source
	dst     sink
	weather *weather
	rng     *rand.Rand    // used by read alone
	total   *atomic.Int64 // counts what is passed on, here and elsewhere
	cuts    bool          // CutAfter counts this direction
	chunks  chan chunk

	finish sync.Once

	// used by write alone
	counted *regime // under which passed was counted
	passed  int64
}

// fin ends the direction after what was taken so far. Whatever comes later is thrown away.
func (p *pipe) fin() {
	p.finish.Do(func() {
		// It fails if the connection is closed, and then nothing is left to end.
		_ = p.src.SetReadDeadline(time.Unix(1, 0))
	})
}

// read takes what is sent until it ends. It returns an error if the sender breaks the connection after fin,
// when no chunk can report that.
func (p *pipe) read(ctx context.Context) error {
	buffer := make([]byte, chunkSize)
	for {
		n, err := p.src.Read(buffer)
		now := time.Now()
		if n > 0 && !p.put(ctx, chunk{data: bytes.Clone(buffer[:n]), taken: now, luck: p.rng.Float64()}) {
			return ctx.Err()
		}
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded): // only fin sets one
			p.put(ctx, chunk{end: io.EOF, taken: now, luck: p.rng.Float64()})
			return p.drain()
		default:
			p.put(ctx, chunk{end: err, taken: now, luck: p.rng.Float64()})
			return nil
		}
	}
}

func (p *pipe) put(ctx context.Context, c chunk) bool {
	select {
	case p.chunks <- c:
		return true
	case <-ctx.Done():
		return false
	}
}

// drain throws away what is sent after fin, so that the sender is not held up.
func (p *pipe) drain() error {
	if err := p.src.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, p.src)
	return err
}

// write passes on what was taken. It returns nil when it has passed on the end of a side that was
// closed, errUnwritten if the receiver is gone, and another error if the connection must be reset.
func (p *pipe) write(ctx context.Context) error {
	for {
		var c chunk
		select {
		case c = <-p.chunks:
		case <-ctx.Done():
			return ctx.Err()
		}
		_, err := p.weather.hold(ctx, func(f Fault) time.Time { return c.taken.Add(f.delay(c.luck)) })
		switch {
		case err != nil:
			return err
		case c.end == nil:
			if err := p.transmit(ctx, c.data); err != nil {
				return err
			}
		case c.end == io.EOF:
			if p.dst.CloseWrite() != nil {
				return errUnwritten
			}
			return nil
		default:
			return c.end
		}
	}
}

// transmit writes at the allowed rate, and no more bytes than CutAfter.
func (p *pipe) transmit(ctx context.Context, data []byte) error {
	for len(data) > 0 {
		began, n := time.Now(), p.weather.current.Load().portion(len(data))
		now, err := p.weather.hold(ctx, func(f Fault) time.Time { return began.Add(f.transmission(n)) })
		if err != nil {
			return err
		}
		if now != p.counted {
			p.counted, p.passed = now, 0
		}
		limited := p.cuts && now.CutAfter > 0
		if limited {
			n = int(min(int64(n), now.CutAfter-p.passed))
		}
		written, err := p.dst.Write(data[:n])
		p.total.Add(int64(written))
		p.passed += int64(written)
		if err != nil {
			return errUnwritten
		}
		if limited && p.passed == now.CutAfter {
			return errCut
		}
		data = data[n:]
	}
	return nil
}
