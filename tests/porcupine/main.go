// porcupine_load: clients of the generated Go code, and porcupine, which knows nothing of kvs, revisions or ledgers. It
// looks for an order of what the clients of a group of keys saw in which each of them was told what it should have been.
//
//	porcupine_load ADDRESS CA CERTIFICATE KEY CALLS SEED
//
// Makes calls until there are so many, while somebody else kills the servers, tells its progress, and then checks them.
package main

import (
	"context"
	"fmt"
	"math"
	"math/rand"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

const (
	groups          = 5 // of three keys each: 15 keys at a time
	clientsPerGroup = 4
	// Operations of each client on the same keys. Then the group takes new ones: what is of unknown outcome is never
	// over, and the time that porcupine takes grows fast with how many of those there are.
	roundLength = 30
	timeout     = 30 * time.Second
	pause       = 5 * time.Millisecond
	// For one round of one group.
	checkTimeout     = 60 * time.Second
	callsPerProgress = 100
)

type load struct {
	begin  time.Time
	calls  atomic.Int64
	wanted int64
	print  sync.Mutex
}

func (l *load) now() int64 { return int64(time.Since(l.begin)) }

func (l *load) count() {
	if calls := l.calls.Add(1); calls%callsPerProgress == 0 {
		l.print.Lock()
		defer l.print.Unlock()
		fmt.Println(calls)
	}
}

func randomInput(random *rand.Rand) input {
	text := fmt.Sprintf("%x", random.Int63())
	in := input{verb: verb(random.Intn(int(verbs))), number: random.Int63n(1 << 50), text: text}
	switch in.verb {
	case intPut, stringPut:
		in.condition = condition(random.Intn(3))
	case setAdd, setRemove:
		// Few, so that they meet.
		in.text = fmt.Sprintf("m%d", random.Intn(4))
	}
	return in
}

// One call of a client, one in 30 with a deadline that is hard to meet. False if there is nothing to remember of it.
func (l *load) call(c *client, number int, key string, random *rand.Rand) (porcupine.Operation, bool) {
	in := randomInput(random)
	patience := timeout
	if random.Intn(30) == 0 {
		patience = time.Duration(200+random.Intn(3000)) * time.Microsecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	operation := porcupine.Operation{ClientId: number, Input: in, Call: l.now()}
	out, err := c.do(ctx, key, in)
	operation.Return = l.now()
	if err != nil {
		what, refused := outcome(err)
		if refused {
			time.Sleep(pause)
			return operation, false
		}
		out = output{result: what}
	}
	l.count()
	if out.result == unknown {
		operation.Return = math.MaxInt64
	}
	operation.Output = out
	return operation, !(out.result == unknown && in.verb.reads())
}

// All rounds of a group, one after the other: what its clients saw in each.
func (l *load) rounds(group int, clients []*client, seed int64) [][]porcupine.Operation {
	var all [][]porcupine.Operation
	for l.calls.Load() < l.wanted {
		key := fmt.Sprintf("group-%d-round-%d", group, len(all))
		seen := make([][]porcupine.Operation, len(clients))
		var waiting sync.WaitGroup
		for i, c := range clients {
			waiting.Add(1)
			random := rand.New(rand.NewSource(seed + int64(len(all)*groups*clientsPerGroup+group*clientsPerGroup+i)))
			go func() {
				defer waiting.Done()
				for done := 0; done < roundLength; done++ {
					if operation, ok := l.call(c, i, key, random); ok {
						seen[i] = append(seen[i], operation)
					}
				}
			}()
		}
		waiting.Wait()
		var round []porcupine.Operation
		for _, some := range seen {
			round = append(round, some...)
		}
		all = append(all, round)
	}
	return all
}

func (l *load) run(arguments []string, seed int64) ([][]porcupine.Operation, error) {
	var clients []*client
	for i := 0; i < groups*clientsPerGroup; i++ {
		c, err := connect(arguments[0], arguments[1], arguments[2], arguments[3])
		if err != nil {
			return nil, err
		}
		clients = append(clients, c)
	}
	found := make([][][]porcupine.Operation, groups)
	var waiting sync.WaitGroup
	for group := range found {
		waiting.Add(1)
		go func() {
			defer waiting.Done()
			found[group] = l.rounds(group, clients[group*clientsPerGroup:][:clientsPerGroup], seed)
		}()
	}
	waiting.Wait()
	var all [][]porcupine.Operation
	for _, rounds := range found {
		all = append(all, rounds...)
	}
	return all, nil
}

func describe(history []porcupine.Operation) {
	for _, operation := range history {
		fmt.Fprintf(os.Stderr, "client %d, %d to %d ns: %s\n", operation.ClientId, operation.Call, operation.Return,
			model.DescribeOperation(operation.Input, operation.Output))
	}
}

// False where porcupine finds no order, or does not end.
func check(histories [][]porcupine.Operation) bool {
	for _, history := range histories {
		if verdict := porcupine.CheckOperationsTimeout(model, history, checkTimeout); verdict != porcupine.Ok {
			fmt.Fprintf(os.Stderr, "porcupine says %s of:\n", verdict)
			describe(history)
			return false
		}
	}
	return true
}

func main() {
	if len(os.Args) != 7 {
		fmt.Fprintln(os.Stderr, "usage: porcupine_load ADDRESS CA CERTIFICATE KEY CALLS SEED")
		os.Exit(2)
	}
	wanted, err := strconv.ParseInt(os.Args[5], 10, 64)
	seed, errSeed := strconv.ParseInt(os.Args[6], 10, 64)
	if err != nil || errSeed != nil {
		fmt.Fprintln(os.Stderr, "CALLS and SEED are numbers")
		os.Exit(2)
	}
	l := &load{begin: time.Now(), wanted: wanted}
	histories, err := l.run(os.Args[1:], seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("done")
	if !check(histories) || !findsStaleReads(histories) {
		os.Exit(1)
	}
	calls, unknowns := 0, 0
	for _, history := range histories {
		calls += len(history)
		for _, operation := range history {
			if operation.Output.(output).result == unknown {
				unknowns++
			}
		}
	}
	fmt.Printf("{\"histories\": %d, \"calls\": %d, \"unknown\": %d}\n", len(histories), calls, unknowns)
}
