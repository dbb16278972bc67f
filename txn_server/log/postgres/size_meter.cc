#include "txn_server/log/postgres/size_meter.h"

#include <absl/strings/numbers.h>

#include <utility>

namespace kvs::txn {
namespace {

constexpr char kSize[] =
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class AS c"
    " WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'ledger'::regclass)";

// A table that is locked, as by VACUUM FULL, is not worth waiting for.
constexpr char kLimitTime[] = "SET lock_timeout = '1s'; SET statement_timeout = '5s'";

// False if it cannot be told.
bool ReadSize(Connection& connection, std::atomic<uint64_t>* size) {
  const auto rows = connection.Exec(kSize);
  uint64_t bytes = 0;
  if (!rows.ok() || !absl::SimpleAtoi(TextOf((*rows)[0][0]), &bytes)) return false;
  *size = bytes;
  return true;
}

}  // namespace

SizeMeter::SizeMeter(std::string connection_string) : connection_string_(std::move(connection_string)) {
  Measure();
  thread_ = std::thread([this] { Run(); });
}

SizeMeter::~SizeMeter() {
  {
    MutexLock lock(&mutex_);
    is_stopping_ = true;
    changed_.Signal();
  }
  thread_.join();
}

uint64_t SizeMeter::size_bytes() {
  MutexLock lock(&mutex_);
  is_requested_ = true;
  changed_.Signal();
  return size_;
}

void SizeMeter::Run() {
  while (WaitForRequest()) Measure();
}

bool SizeMeter::WaitForRequest() {
  MutexLock lock(&mutex_);
  while (!is_requested_ && !is_stopping_) changed_.Wait(&mutex_);
  is_requested_ = false;
  return !is_stopping_;
}

void SizeMeter::Measure() {
  if (!connection_) {
    auto connection = Connection::Open(connection_string_);
    if (!connection.ok() || !(*connection)->Exec(kLimitTime).ok()) return;
    connection_ = *std::move(connection);
  }
  if (!ReadSize(*connection_, &size_)) connection_.reset();
}

}  // namespace kvs::txn
