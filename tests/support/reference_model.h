// ReferenceModel: what the operations of the public API promise, told as simply as possible: one ordered map of keys,
// one operation after the other, nothing shared with the servers but the messages. Property tests compare kvs_server
// with it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kvs/v1/batch.pb.h"

namespace kvs {

// The request_id of an operation, null if it is of a kind that has none.
std::string* MutableRequestId(v1::BatchOperation& operation);

// A result on one line. An error is its code and reason alone, for an operation and for each key of one that has many.
std::string ResultText(const v1::BatchResult& result);

class ReferenceModel {
 public:
  // Operations happen at this time from now on, in microseconds since 1970. It never runs backwards.
  void SetTime(int64_t now_micros) { now_micros_ = now_micros; }

  // Does the operation by itself, once if it has a request_id, and tells its result as ResultText. Nothing that has one
  // is ever forgotten.
  std::string Do(const v1::BatchOperation& operation);

  // Does all of them or none, once if there is a request_id. The results as ResultText, or the error of the batch as
  // its only line, with the index of the operation that failed: "NOT_FOUND KEY_NOT_FOUND at 3".
  std::vector<std::string> DoAtomic(const v1::BatchExecuteRequest& request);

  // Removes the keys whose time has come, each with a revision of its own; returns how many those were.
  size_t RemoveExpired();

  // The newest revision.
  uint64_t revision() const { return state_.revision; }

  // Reads of everything that there is: two operations for each key.
  std::vector<v1::BatchOperation> ReadAll() const;

  // Every key with its value, as Keys.Scan tells them; each on one line.
  std::vector<std::string> Scan() const;

 private:
  friend class ModelRun;

  // Returns run(), unless a request of this id was answered before; an empty id is none.
  template <class Run>
  std::vector<std::string> Once(const std::string& id, const std::string& command, Run run);

  using Value =
      std::variant<int64_t, uint64_t, double, std::string, std::set<std::string>, std::map<std::string, std::string>>;
  struct Item {
    Value value;
    uint64_t revision = 0;
    int64_t expires_at_micros = 0;  // 0: it lives for ever
  };
  struct State {
    std::map<std::pair<v1::ValueType, std::string>, Item> items;
    uint64_t revision = 0;
  };

  // A request that changed something, by its id.
  struct Answered {
    std::string command;
    std::vector<std::string> results;
  };

  State state_;
  std::map<std::string, Answered> answered_;
  int64_t now_micros_ = 0;
};

}  // namespace kvs
