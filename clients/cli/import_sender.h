// Sends the keys of an import, many of them together, in atomic batches. The client repeats those until their outcome
// is known, so that what has come of each line is certain.
#pragma once

#include <absl/status/status.h>
#include <absl/types/span.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "clients/cli/import_large_key.h"
#include "clients/cpp/client.h"
#include "kvs/v1/batch.pb.h"
#include "kvs/v1/common.pb.h"

namespace kvs::cli {

// One line of a key.
struct ImportLine {
  int number = 0;
  v1::ValueType type = v1::VALUE_TYPE_UNSPECIFIED;
  std::string key;
  v1::BatchOperation operation;  // that OperationOf makes; none where the line adds nothing
  bool is_last = true;           // of the key
};

class ImportSender {
 public:
  // With `if_absent` keys that are there are left alone.
  ImportSender(client::Client client, bool if_absent) : client_(std::move(client)), if_absent_(if_absent) {}

  // Takes the next line; the lines of a key follow each other. An error is about that line or ones before it, which its
  // message names, and is the end: of what comes behind them nothing was sent.
  absl::Status Add(ImportLine line);

  // Sends the whole keys that are at hand.
  absl::Status Flush();

  // Keys that were imported, all of them, and keys that were left alone because they are there.
  uint64_t imported() const { return imported_; }
  uint64_t present() const { return present_; }

  // The key of which only a part was put, or may have been, as "set colors"; nothing if there is none.
  std::optional<std::string> BrokenKey() const;

 private:
  struct Key {
    v1::ValueType type = v1::VALUE_TYPE_UNSPECIFIED;
    std::string key;
    std::vector<v1::BatchOperation> operations;
    std::vector<int> lines;  // of the operations
    size_t bytes = 0;        // of the operations
  };

  // Leaves out the keys that are there. Those that come to be there meanwhile are left out later.
  absl::StatusOr<std::vector<Key>> WithoutPresent(std::vector<Key> keys);
  absl::Status Put(absl::Span<Key> keys);
  // Puts what is at hand of a key that is too large for one batch.
  absl::Status Step(bool is_last);

  const client::Client client_;
  const bool if_absent_;
  std::vector<Key> keys_;                // whole ones, not sent yet
  size_t operations_ = 0;                // of these
  size_t bytes_ = 0;                     // of these
  Key key_;                              // what is at hand of the key whose lines come
  std::optional<LargeKeyImport> large_;  // set if that is put step by step
  uint64_t imported_ = 0;
  uint64_t present_ = 0;
};

}  // namespace kvs::cli
