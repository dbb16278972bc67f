// The checker: whether a history is linearizable, and whether the ledger tells the same.
//
// A step is a call, or one operation of an independent batch. The ledger's transactions, in the order of their
// revisions, are the total order of all steps that changed something: there is nothing to search for. Of a history of
// which all of these hold, no checker of the one object that all keys together are can find a fault:
//
// 1. The ledger has the revisions from 1 without a gap, and each is of exactly one step: the one that was told it as
//    taken, or one that is found by a unique number in what it asked for (operations.h). Where calls of unknown outcome
//    are deletes of one key that nothing tells apart, each is given to the one that was invoked first: any of them may
//    take effect at any time after it was invoked, so that no other choice would do where this one does not.
// 2. A step that was told of a change took the revisions that it was told, which follow each other, and no other. One
//    that was refused, or told that nothing was changed, took none. One of unknown outcome took none or all of them; of
//    MultiPut and MultiIncrement without a request_id, which promise less, maybe only the first ones. Those of an
//    atomic step are one record of the ledger.
// 3. Each step has a place: of one that changed something, its last revision; of any other one that was answered, the
//    first revision R, 0 included, at which all that it was told of is true: the revision of each key, and that a key
//    is absent; not before the `latest_revision` that it was told, and as late as 4 needs.
// 4. Real time: when a step was answered before another one was invoked, its place is not behind that of the other one,
//    and before the first revision that the other one took, if it took any. The steps of an independent batch follow
//    each other in the same way. What is of unknown outcome may take effect at any time after it was invoked.
//    Since places are as early as can be, steps in the order of their invocations, others would not do either.
// 5. In the order of their places, ReferenceModel gives each step the answer that it was told, errors with their code,
//    reason, and what they tell about the key; and after each that changed something, the keys that it touched have the
//    values that its transactions in the ledger give, read without the code of the servers.
//
// Linear in the history but for sorting by time.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/support/linearizability/history.h"
#include "tests/support/linearizability/ledger_dump.h"

namespace kvs::linearizability {

struct Violation {
  std::string what;
  std::vector<size_t> calls;  // in the history, those that conflict
};

struct Figures {
  size_t calls = 0;  // all but those that were refused
  size_t refused = 0;
  size_t keys = 0;
  size_t clients = 0;
  size_t overlapping = 0;    // calls during which another one was under way on one of the same keys
  size_t unknown = 0;        // mutations of unknown outcome
  size_t unknown_found = 0;  // those of them that the ledger has
  size_t changes = 0;        // transactions in the ledger
};

struct Verdict {
  Figures figures;
  // None if the history is linearizable; the first ones where there are many.
  std::vector<Violation> violations;
};

Verdict Check(const History& history, const Ledger& ledger);

// The violations with the calls that they name, for people.
std::string Describe(const History& history, const std::vector<Violation>& violations);

}  // namespace kvs::linearizability
