// Go: the commands of uva_bench, the same lines. GOMAXPROCS comes from the
// environment.
//
//	peer_go NAME [ARGUMENT...]
package main

import (
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

func cpu() int64 {
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return r.Utime.Nano() + r.Stime.Nano()
}

func rss() int64 {
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

func argument(index int, missing int64) int64 {
	if len(os.Args) > index {
		number, err := strconv.ParseFloat(os.Args[index], 64)
		if err == nil {
			return int64(number)
		}
	}
	return missing
}

type mark struct {
	wall time.Time
	cpu  int64
}

func begin() mark { return mark{time.Now(), cpu()} }

func (m mark) end(bench string, count int64) {
	used, wall := cpu()-m.cpu, time.Since(m.wall).Nanoseconds()
	fmt.Printf("{\"bench\":\"%s\",\"peer\":\"go\",\"n\":%d,\"wall_ns\":%.2f,\"cpu_ns\":%.2f}\n",
		bench, count, float64(wall)/float64(count), float64(used)/float64(count))
}

// all runs body in so many goroutines and waits for them.
func all(count int64, body func(i int64)) {
	var group sync.WaitGroup
	group.Add(int(count))
	for i := int64(0); i < count; i++ {
		go func(i int64) {
			body(i)
			group.Done()
		}(i)
	}
	group.Wait()
}

func ctx(tasks, count int64) {
	m := begin()
	all(tasks, func(int64) {
		for k := int64(0); k < count/tasks; k++ {
			runtime.Gosched()
		}
	})
	m.end(fmt.Sprintf("ctx%d", tasks), count)
}

func spawnSeq(count int64) {
	done := make(chan struct{})
	m := begin()
	for i := int64(0); i < count; i++ {
		go func() { done <- struct{}{} }()
		<-done
	}
	m.end("spawn_seq", count)
}

func spawnBatch(count, batch int64) {
	m := begin()
	for k := int64(0); k < count; k += batch {
		all(batch, func(int64) {})
	}
	m.end("spawn_batch", count)
}

func gather(count int64) {
	for _, bench := range []string{"gather", "gather_warm"} {
		m := begin()
		all(count, func(int64) { runtime.Gosched() })
		m.end(bench, count)
	}
}

func live(count int64) {
	gate := make(chan struct{})
	before, m := rss(), begin()
	for i := int64(0); i < count; i++ {
		go func() { <-gate }()
	}
	for i := 0; i < 10; i++ {
		runtime.Gosched()
	}
	fmt.Printf("{\"bench\":\"live\",\"peer\":\"go\",\"n\":%d,\"rss_per\":%.1f,\"cpu_ns\":%.2f}\n",
		count, float64(rss()-before)/float64(count), float64(cpu()-m.cpu)/float64(count))
}

func timers(count int64) {
	late := make([]int64, count)
	delays := make([]time.Duration, count)
	random := rand.New(rand.NewSource(1))
	for i := range delays {
		delays[i] = time.Duration(random.Int63n(1000000000))
	}
	m := begin()
	all(count, func(i int64) {
		began := time.Now()
		time.Sleep(delays[i])
		late[i] = int64(time.Since(began) - delays[i])
	})
	used, wall := cpu()-m.cpu, time.Since(m.wall)
	sort.Slice(late, func(a, b int) bool { return late[a] < late[b] })
	us := func(i int64) float64 { return float64(late[i]) / 1e3 }
	fmt.Printf("{\"bench\":\"timers\",\"peer\":\"go\",\"n\":%d,\"cpu_s\":%.4f,\"wall_s\":%.4f,"+
		"\"late_min_us\":%.1f,\"late_p50_us\":%.1f,\"late_p99_us\":%.1f,\"late_max_us\":%.1f}\n",
		count, float64(used)/1e9, wall.Seconds(), us(0), us(count/2), us(count*99/100), us(count-1))
}

func queue(count, capacity int64) {
	items, sum := make(chan int64, capacity), make(chan int64)
	m := begin()
	go func() {
		var s int64
		for item := range items {
			s += item
		}
		sum <- s
	}()
	for i := int64(0); i < count; i++ {
		items <- i
	}
	close(items)
	<-sum
	m.end(fmt.Sprintf("chan%d", capacity), count)
}

func echo() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			continue
		}
		go func() {
			defer connection.Close()
			buffer := make([]byte, 65536)
			for {
				size, err := connection.Read(buffer)
				if err != nil {
					return
				}
				if _, err = connection.Write(buffer[:size]); err != nil {
					return
				}
			}
		}()
	}
}

func crawl(port string, count int64) {
	m := begin()
	all(count, func(int64) {
		connection, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(connection, "GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
		io.Copy(io.Discard, connection)
		connection.Close()
	})
	fmt.Printf("{\"bench\":\"crawl\",\"peer\":\"go\",\"n\":%d,\"wall_s\":%.4f,\"cpu_s\":%.4f}\n",
		count, time.Since(m.wall).Seconds(), float64(cpu()-m.cpu)/1e9)
}

func main() {
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	switch name {
	case "ctx":
		ctx(argument(2, 2), argument(3, 10000000))
	case "spawn_seq":
		spawnSeq(argument(2, 1000000))
	case "spawn_batch":
		spawnBatch(argument(2, 1000000), argument(3, 100000))
	case "gather":
		gather(argument(2, 100000))
	case "live":
		live(argument(2, 100000))
	case "timers":
		timers(argument(2, 100000))
	case "chan":
		queue(argument(2, 5000000), argument(3, 1))
	case "echo":
		echo()
	case "crawl":
		crawl(os.Args[2], argument(3, 10))
	default:
		os.Exit(2)
	}
}
