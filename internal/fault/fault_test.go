package fault_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cxbridge/cxbridge/internal/fault"
)

func recovered(do func()) (err error) {
	defer func() { err = fault.Error(recover()) }()
	do()
	return nil
}

func TestError(t *testing.T) {
	var none []string
	for name, test := range map[string]struct {
		do   func()
		want string
	}{
		"text":    {func() { panic("Is it on its way?") }, "a fault of the program: string\n"},
		"error":   {func() { panic(errors.New("Is it on its way?")) }, "a fault of the program: *errors.errorString\n"},
		"runtime": {func() { _ = none[3] }, "a fault of the program: runtime error: index out of range [3] with length 0\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := recovered(test.do).Error()
			if !strings.HasPrefix(got, test.want) || strings.Contains(got, "on its way") || !strings.Contains(got, "fault_test.go") {
				t.Errorf("got %s", got)
			}
		})
	}
}
