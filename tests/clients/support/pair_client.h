// ClientOf: a client of the C++ library for the pair of a test.
#pragma once

#include <absl/strings/str_cat.h>

#include "clients/cpp/client.h"
#include "tests/support/pair.h"

namespace kvs::client {

inline Client ClientOf(Pair& pair) {
  Options options;
  options.address = absl::StrCat("127.0.0.1:", pair.kvs().port());
  options.plaintext = true;
  return *Client::Connect(options);
}

}  // namespace kvs::client
