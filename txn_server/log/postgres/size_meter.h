// SizeMeter: how much space the tables of the ledger take, measured in the background, so that whoever asks does not
// wait for the database, nor for whoever has locked one of the tables.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "common/sync.h"
#include "txn_server/log/postgres/connection.h"

namespace kvs::txn {

// Thread-safety: size_bytes() from any thread.
class SizeMeter {
 public:
  // Measures once before it returns.
  explicit SizeMeter(std::string connection_string);
  // Waits for a measurement that is under way, for some seconds at most where the server answers at all.
  ~SizeMeter();
  SizeMeter(const SizeMeter&) = delete;
  SizeMeter& operator=(const SizeMeter&) = delete;

  // What was measured last, and has it measured again. 0 if it could never be measured.
  uint64_t size_bytes() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether to measure; false at the end.
  bool WaitForRequest() ABSL_LOCKS_EXCLUDED(mutex_);
  void Measure();

  const std::string connection_string_;
  std::atomic<uint64_t> size_{0};
  std::unique_ptr<Connection> connection_;  // of the thread alone; null after an error

  Mutex mutex_;
  CondVar changed_;
  bool is_requested_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace kvs::txn
