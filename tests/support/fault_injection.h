// Makes chosen operations of a file system fail, for tests that try every place where work can be cut short.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "common/errors.h"
#include "tests/support/memory_file_system.h"

namespace kvs::txn {

// Whether a full disk can refuse it.
inline bool TakesSpace(MemoryFileSystem::Operation operation) {
  using Operation = MemoryFileSystem::Operation;
  return operation == Operation::kReserve || operation == Operation::kWrite || operation == Operation::kCreate;
}

inline MemoryFileSystem::Fault FullDisk(size_t written = 0) { return {Error(errors::kNoSpace, "full"), written}; }

class FaultInjection {
 public:
  using Which = std::function<bool(MemoryFileSystem::Operation, const std::string& path)>;
  enum class Extent { kOne, kAllFromThere };

  // Of the operations that `which` picks, counted from 0, number `at` fails, or all from there on.
  FaultInjection(MemoryFileSystem& files, int at, Extent extent, MemoryFileSystem::Fault fault, Which which)
      : files_(files) {
    files.SetFaults(
        [this, at, extent, fault = std::move(fault), which = std::move(which)](
            MemoryFileSystem::Operation operation, const std::string& path) -> std::optional<MemoryFileSystem::Fault> {
          if (!which(operation, path)) return std::nullopt;
          const int number = picked_++;
          if (number < at || (number > at && extent == Extent::kOne)) return std::nullopt;
          failed_ = true;
          return fault;
        });
  }
  ~FaultInjection() { files_.SetFaults(nullptr); }
  FaultInjection(const FaultInjection&) = delete;
  FaultInjection& operator=(const FaultInjection&) = delete;

  // Lets everything work again. Whether anything had failed.
  bool End() {
    files_.SetFaults(nullptr);
    return failed_;
  }

 private:
  MemoryFileSystem& files_;
  int picked_ = 0;
  bool failed_ = false;
};

}  // namespace kvs::txn
