#include "clients/cli/import_sender.h"

#include <absl/strings/str_cat.h>

#include "clients/cli/exit_status.h"
#include "clients/cli/import_entry.h"
#include "clients/cli/input.h"
#include "clients/cpp/batch.h"
#include "common/errors.h"
#include "common/limits.h"

namespace kvs::cli {
namespace {

// When keys are sent; and what is put at one moment of a key, with what else is in the batch: less than what one record
// of the ledger has room for, so that there is some for what each operation is logged with.
constexpr size_t kPartOperations = 1000;
constexpr size_t kPartBytes = kMiB;
constexpr size_t kMaxPartBytes = kMaxRecordBytes - kMiB;

// Whether keys that are refused together may be taken one by one.
bool IsTooMuchTogether(const absl::Status& status) {
  return Is(status, errors::kMemoryFull) || Is(status, errors::kTooManyKeys) || Is(status, errors::kBatchTooLarge) ||
         Is(status, errors::kReplyTooLarge);
}

// The operation that an atomic batch failed at, by the lines of its operations.
std::optional<size_t> FailedOf(const absl::Status& status, const std::vector<int>& lines) {
  const int failed = client::FailedOperation(status).value_or(-1);
  return failed >= 0 && failed < static_cast<int>(lines.size()) ? std::optional<size_t>(failed) : std::nullopt;
}

// The error with the line of that operation, or all of the lines.
absl::Status AtLines(const absl::Status& status, const std::vector<int>& lines) {
  if (lines.empty()) return status;
  const std::optional<size_t> failed = FailedOf(status, lines);
  return WithPlace(status, failed ? LinesText(lines[*failed], lines[*failed]) : LinesText(lines.front(), lines.back()));
}

}  // namespace

absl::Status ImportSender::Add(ImportLine line) {
  const size_t bytes = line.operation.ByteSizeLong();
  const bool has_room = key_.bytes + bytes <= kMaxPartBytes && key_.operations.size() < kPartOperations;
  if (!key_.operations.empty() && !has_room) {
    if (absl::Status status = Step(/*is_last=*/false); !status.ok()) return status;
  }
  key_.type = line.type;
  key_.key = std::move(line.key);
  if (line.operation.operation_case() != v1::BatchOperation::OPERATION_NOT_SET) {
    key_.operations.push_back(std::move(line.operation));
    key_.lines.push_back(line.number);
    key_.bytes += bytes;
  }
  if (!line.is_last) return absl::OkStatus();
  if (large_) return Step(/*is_last=*/true);
  if (bytes_ + key_.bytes > kMaxPartBytes) {
    if (absl::Status status = Flush(); !status.ok()) return status;
  }
  operations_ += key_.operations.size();
  bytes_ += key_.bytes;
  keys_.push_back(std::exchange(key_, {}));
  return operations_ < kPartOperations && bytes_ < kPartBytes ? absl::OkStatus() : Flush();
}

absl::Status ImportSender::Flush() {
  std::vector<Key> keys = std::exchange(keys_, {});
  operations_ = bytes_ = 0;
  if (if_absent_) {
    auto absent = WithoutPresent(std::move(keys));
    if (!absent.ok()) return absent.status();
    keys = *std::move(absent);
  }
  return Put(absl::MakeSpan(keys));
}

absl::StatusOr<std::vector<ImportSender::Key>> ImportSender::WithoutPresent(std::vector<Key> keys) {
  if (keys.empty()) return keys;
  v1::BatchExecuteRequest request;
  for (const Key& key : keys) {
    v1::KeysExistsRequest& exists = *request.add_operations()->mutable_keys_exists();
    exists.set_key(key.key);
    exists.add_types(key.type);
  }
  const auto response = client_.batch().Execute(request);
  if (!response.ok()) {
    return WithPlace(response.status(), LinesText(keys.front().lines.front(), keys.back().lines.back()));
  }
  std::vector<Key> absent;
  for (int i = 0; i < response->results_size(); ++i) {
    // A key that cannot be is refused when it is put.
    if (response->results(i).keys_exists().exists()) {
      ++present_;
    } else {
      SetPrecondition(client::Precondition::Absent().proto(), &keys[i].operations.front());
      absent.push_back(std::move(keys[i]));
    }
  }
  return absent;
}

absl::Status ImportSender::Put(absl::Span<Key> keys) {
  if (keys.empty()) return absl::OkStatus();
  v1::BatchExecuteRequest request;
  request.set_atomic(true);
  std::vector<int> lines;      // of the operations
  std::vector<size_t> key_of;  // of the operations
  for (size_t i = 0; i < keys.size(); ++i) {
    for (const v1::BatchOperation& operation : keys[i].operations) *request.add_operations() = operation;
    lines.insert(lines.end(), keys[i].lines.begin(), keys[i].lines.end());
    key_of.resize(lines.size(), i);
  }
  const absl::Status status = client_.batch().Execute(request).status();
  if (status.ok()) {
    imported_ += keys.size();
    return status;
  }
  // Nothing was done. What comes before the one that failed is put without it.
  if (const std::optional<size_t> failed = FailedOf(status, lines)) {
    const size_t key = key_of[*failed];
    if (absl::Status before = Put(keys.first(key)); !before.ok()) return before;
    if (!if_absent_ || !Is(status, errors::kKeyExists)) return AtLines(status, lines);
    ++present_;
    return Put(keys.subspan(key + 1));
  }
  if (keys.size() > 1 && IsTooMuchTogether(status)) {
    const size_t half = keys.size() / 2;
    if (absl::Status first = Put(keys.first(half)); !first.ok()) return first;
    return Put(keys.subspan(half));
  }
  return AtLines(status, lines);
}

absl::Status ImportSender::Step(bool is_last) {
  if (!large_) {
    if (absl::Status status = Flush(); !status.ok()) return status;
    large_.emplace(&client_, key_.type, key_.key, if_absent_);
  }
  Key step = std::exchange(key_, {});
  const absl::Status status = large_->Step(std::move(step.operations), is_last);
  if (!status.ok()) return AtLines(status, step.lines);
  if (!is_last) return status;
  ++(large_->is_left_alone() ? present_ : imported_);
  large_.reset();
  return status;
}

std::optional<std::string> ImportSender::BrokenKey() const {
  if (!large_ || !large_->is_begun()) return std::nullopt;
  return large_->Name();
}

}  // namespace kvs::cli
