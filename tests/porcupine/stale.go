package main

import (
	"fmt"
	"os"

	"github.com/anishathalye/porcupine"
)

// Makes a read stale: it is answered with what an increment gave, though another one was made in between. No other
// operation gives that value again. Nil if the history has no place for it.
func withStaleRead(history []porcupine.Operation) []porcupine.Operation {
	isIncrement := func(o porcupine.Operation) bool {
		return o.Input.(input).verb == intIncrement && o.Output.(output).result == done
	}
	for i, read := range history {
		if read.Input.(input).verb != intGet || read.Output.(output).result != done {
			continue
		}
		for _, first := range history {
			for _, second := range history {
				if !isIncrement(first) || !isIncrement(second) || first.Return >= second.Call || second.Return >= read.Call {
					continue
				}
				altered := append([]porcupine.Operation(nil), history...)
				altered[i].Output = output{state: state{hasInt: true, number: first.Output.(output).number}}
				return altered
			}
		}
	}
	return nil
}

// Whether porcupine finds what is wrong where something is.
func findsStaleReads(histories [][]porcupine.Operation) bool {
	tried := 0
	for _, history := range histories {
		altered := withStaleRead(history)
		if altered == nil {
			continue
		}
		tried++
		if verdict := porcupine.CheckOperationsTimeout(model, altered, checkTimeout); verdict != porcupine.Illegal {
			fmt.Fprintf(os.Stderr, "porcupine says %s of a history with a stale read:\n", verdict)
			describe(altered)
			return false
		}
		if tried == 10 {
			return true
		}
	}
	fmt.Fprintf(os.Stderr, "only %d histories have a read that could be stale\n", tried)
	return tried > 0
}
