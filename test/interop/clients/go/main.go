// A program under Pyroscope's Go agent, all profiles on: burns, allocates, locks and blocks for a few seconds, under two
// values of a dynamic tag, sends what is left, and ends. Arguments: the server's address, seconds.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/grafana/pyroscope-go"
)

var kept [][]byte

func burn(until time.Time) (sum int) {
	for time.Now().Before(until) {
		for i := 0; i < 100_000; i++ {
			sum += i * i
		}
	}
	return sum
}

func allocate() {
	for i := 0; i < 200; i++ {
		kept = append(kept, make([]byte, 64<<10))
	}
}

func contend(lock *sync.Mutex) {
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			lock.Lock()
			time.Sleep(5 * time.Millisecond)
			lock.Unlock()
		}()
	}
	group.Wait()
}

func main() {
	seconds, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	profiler, err := pyroscope.Start(pyroscope.Config{
		ApplicationName: "interop.go",
		ServerAddress:   os.Args[1],
		UploadRate:      2 * time.Second,
		Tags:            map[string]string{"region": "eu/west", "pod": "pod 1 (a)"},
		ProfileTypes: []pyroscope.ProfileType{
			pyroscope.ProfileCPU,
			pyroscope.ProfileAllocObjects,
			pyroscope.ProfileAllocSpace,
			pyroscope.ProfileInuseObjects,
			pyroscope.ProfileInuseSpace,
			pyroscope.ProfileGoroutines,
			pyroscope.ProfileMutexCount,
			pyroscope.ProfileMutexDuration,
			pyroscope.ProfileBlockCount,
			pyroscope.ProfileBlockDuration,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	var lock sync.Mutex
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for sum := 0; time.Now().Before(end); {
		for _, vehicle := range []string{"car", "bike"} {
			pyroscope.TagWrapper(context.Background(), pyroscope.Labels("vehicle", vehicle), func(context.Context) {
				sum += burn(time.Now().Add(200 * time.Millisecond))
			})
		}
		allocate()
		contend(&lock)
		if sum == 0 {
			fmt.Println(sum)
		}
	}
	profiler.Flush(true)
	if err := profiler.Stop(); err != nil {
		log.Fatal(err)
	}
}
