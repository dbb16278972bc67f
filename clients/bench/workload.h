// The messages of a load, and how to tell whether they were answered well.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "clients/bench/options.h"
#include "clients/bench/request_template.h"
#include "clients/bench/response_checks.h"

namespace kvs::bench {

// One kind of message.
struct Message {
  std::string method;  // such as "/kvs.v1.IntStore/Get"
  RequestTemplate request;
  ResponseCheck check;
};

struct Workload {
  // Drawn uniformly. Those of streams are all of one method.
  std::vector<Message> messages;
  uint32_t operations = 1;  // of each message
  bool is_stream = false;
  bool has_distinct_keys = false;  // in each message
};

// What `options` ask for, which are good ones.
Workload MakeWorkload(const Options& options);

// Puts of all keys: `messages` of them, with the keys in turn.
struct Fill {
  Workload workload;
  uint64_t messages = 0;
};
// Those of every key that MakeWorkload's messages are about.
std::vector<Fill> MakeFills(const Options& options);

}  // namespace kvs::bench
