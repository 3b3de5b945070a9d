package proof

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// Clock is the wall clock of a cxbridge built by BuildWithClock: that of the machine, set forwards or back
// while it runs. The monotonic clock goes on evenly, as when an administrator or NTP sets a clock.
type Clock struct {
	file  *os.File
	ahead time.Duration
}

// clockSetting is the environment variable that names the file of a Clock.
const clockSetting = "CXPROOF_CLOCK"

// NewClock returns a clock that is right. It makes its file in a folder.
func NewClock(dir string) (*Clock, error) {
	file, err := os.Create(filepath.Join(dir, "clock"))
	if err != nil {
		return nil, err
	}
	c := &Clock{file: file}
	if err := c.Set(0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return c, nil
}

// Settings makes a process go by the clock.
func (c *Clock) Settings() Settings { return Settings{clockSetting: c.file.Name()} }

// Set sets how far the clock is ahead of the machine's, in whole seconds; a negative time is behind. It takes
// effect at once, because processes map the file into their memory.
func (c *Clock) Set(ahead time.Duration) error {
	seconds := binary.NativeEndian.AppendUint64(nil, uint64(int64(ahead/time.Second)))
	if _, err := c.file.WriteAt(seconds, 0); err != nil { // in place: a mapped file must not get shorter
		return err
	}
	c.ahead = ahead
	return nil
}

// clockSlack is how long an answer may take. It is far less than the steps of a clock.
const clockSlack = time.Minute

// Check returns an error unless a service goes by the clock, as the Date of its answers shows.
func (c *Clock) Check(s *Service) error {
	response, err := s.client.Get(s.URL() + "/healthz")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	told, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return err
	}
	if ahead := time.Until(told); (ahead - c.ahead).Abs() > clockSlack {
		return fmt.Errorf("a fault of the proof: the clock is %v ahead, and the time of cxbridge is %v ahead", c.ahead, ahead)
	}
	return nil
}

// Close removes the file. No process may go by the clock any more.
func (c *Clock) Close() error { return errors.Join(c.file.Close(), os.Remove(c.file.Name())) }
