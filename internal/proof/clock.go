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

// Clock is the wall clock of a cxbridge that BuildWithClock has built: that of the machine, set forwards
// or back while it runs. The monotonic clock goes on, as when an administrator or NTP sets a clock.
type Clock struct {
	file  *os.File
	ahead time.Duration
}

// clockSetting names the file of a Clock to the process.
const clockSetting = "CXPROOF_CLOCK"

// NewClock returns a clock that is right. Its file is made in a folder.
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

// Set sets the clock so far ahead of the machine's, in whole seconds; less than 0 is behind. Processes
// have it at once, as they map the file into their memory.
func (c *Clock) Set(ahead time.Duration) error {
	seconds := binary.NativeEndian.AppendUint64(nil, uint64(int64(ahead/time.Second)))
	if _, err := c.file.WriteAt(seconds, 0); err != nil { // in place: what is mapped must not get shorter
		return err
	}
	c.ahead = ahead
	return nil
}

// clockSlack is how long an answer may be on its way. It is far less than a clock is set by.
const clockSlack = time.Minute

// Check asks whether a service goes by the clock, by the Date of its answers.
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
		return fmt.Errorf("a fault of the proof: the clock is %v ahead, and cxbridge tells a time that is %v ahead", c.ahead, ahead)
	}
	return nil
}

// Close removes the file. No process goes by the clock any more.
func (c *Clock) Close() error { return errors.Join(c.file.Close(), os.Remove(c.file.Name())) }
