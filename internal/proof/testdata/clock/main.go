// Command clock tells, for each line that it reads, the wall clock in Unix seconds and the milliseconds
// since its start by the monotonic clock.
package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	began := time.Now()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(time.Now().Unix(), time.Since(began).Milliseconds())
	}
}
