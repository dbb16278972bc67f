package main

import (
	"fmt"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"
)

// What a group of keys is: one int, one string and one set, all of one name. Comparable, as porcupine wants it.
type state struct {
	hasInt    bool
	number    int64
	hasString bool
	text      string
	hasSet    bool
	members   string // sorted, each with a space behind it
}

type verb int

const (
	intPut verb = iota
	intIncrement
	intGet
	intDelete
	stringPut
	stringAppend
	stringGet
	setAdd
	setRemove
	setGet
	changeAll // an atomic batch: an increment, a put of the string, an added member
	readAll   // an atomic batch: the int and the string
	verbs
)

func (v verb) reads() bool { return v == intGet || v == stringGet || v == setGet || v == readAll }

type condition int

const (
	noCondition condition = iota
	mustExist
	mustNotExist
)

type input struct {
	verb      verb
	number    int64
	text      string
	condition condition // of intPut and stringPut
}

type result int

const (
	done result = iota
	keyNotFound
	keyExists
	unknown
)

// What a client was told.
type output struct {
	result   result
	number   int64 // after an increment
	previous int64
	changed  bool   // replaced, deleted, added, removed
	size     uint64 // of a string or a set
	state    state  // what a read saw
}

func add(members, member string) (string, bool) {
	list := strings.Fields(members)
	at := sort.SearchStrings(list, member)
	if at < len(list) && list[at] == member {
		return members, false
	}
	list = append(list, member)
	sort.Strings(list)
	return strings.Join(list, " ") + " ", true
}

func remove(members, member string) (string, bool) {
	shorter := ""
	for _, each := range strings.Fields(members) {
		if each != member {
			shorter += each + " "
		}
	}
	return shorter, shorter != members
}

func size(members string) uint64 { return uint64(len(strings.Fields(members))) }

func refusal(c condition, present bool) result {
	if c == mustExist && !present {
		return keyNotFound
	}
	if c == mustNotExist && present {
		return keyExists
	}
	return done
}

// What an operation answers in a state, and the state after it.
func do(s state, in input) (output, state) {
	switch in.verb {
	case intPut:
		if r := refusal(in.condition, s.hasInt); r != done {
			return output{result: r}, s
		}
		out := output{changed: s.hasInt}
		s.hasInt, s.number = true, in.number
		return out, s
	case intIncrement:
		out := output{previous: s.number, number: s.number + in.number}
		s.hasInt, s.number = true, out.number
		return out, s
	case intGet:
		if !s.hasInt {
			return output{result: keyNotFound}, s
		}
		return output{state: state{hasInt: true, number: s.number}}, s
	case intDelete:
		out := output{changed: s.hasInt}
		s.hasInt, s.number = false, 0
		return out, s
	case stringPut:
		if r := refusal(in.condition, s.hasString); r != done {
			return output{result: r}, s
		}
		out := output{changed: s.hasString}
		s.hasString, s.text = true, in.text
		return out, s
	case stringAppend:
		s.hasString, s.text = true, s.text+in.text
		return output{size: uint64(len(s.text))}, s
	case stringGet:
		if !s.hasString {
			return output{result: keyNotFound}, s
		}
		return output{state: state{hasString: true, text: s.text}}, s
	case setAdd:
		members, changed := add(s.members, in.text)
		s.hasSet, s.members = true, members
		return output{changed: changed, size: size(members)}, s
	case setRemove:
		members, changed := remove(s.members, in.text)
		s.members = members
		return output{changed: changed, size: size(members)}, s
	case setGet:
		if !s.hasSet {
			return output{result: keyNotFound}, s
		}
		return output{state: state{hasSet: true, members: s.members}}, s
	case changeAll:
		s.hasInt, s.number = true, s.number+in.number
		s.hasString, s.text = true, in.text
		s.members, _ = add(s.members, in.text)
		s.hasSet = true
		return output{number: s.number, size: size(s.members)}, s
	default:
		seen := state{hasInt: s.hasInt, number: s.number, hasString: s.hasString, text: s.text}
		return output{state: seen}, s
	}
}

// What is of unknown outcome may answer anything. It is never over, so that it may as well come after everything.
var model = porcupine.Model{
	Init: func() interface{} { return state{} },
	Step: func(before, in, out interface{}) (bool, interface{}) {
		wanted, after := do(before.(state), in.(input))
		told := out.(output)
		return told.result == unknown || told == wanted, after
	},
	DescribeOperation: func(in, out interface{}) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}
