// Parameters of statements in the binary form of PostgreSQL: nothing is escaped, printed or parsed.
#pragma once

#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace kvs::txn {

// A bigint.
std::string BinaryBigint(uint64_t value);

// A one-dimensional array. Elements are added by the function of its type, or as nulls.
class BinaryArray {
 public:
  enum class Type : uint32_t {  // as PostgreSQL numbers its types
    kBytea = 17,
    kBigint = 20,
    kText = 25,
    kDouble = 701,
    kTimestamp = 1184,
    kNumeric = 1700,
  };

  explicit BinaryArray(Type type);

  void AddNull();
  void AddBigint(uint64_t value);
  void AddText(absl::string_view value);
  void AddDouble(double value);
  // Since 1970. REQUIRES: IsTimestamp.
  void AddTimestamp(int64_t micros);
  void AddNumeric(uint64_t value);

  size_t size() const { return size_; }
  // The parameter. Ends the use of the array.
  std::string Take();

 private:
  const Type type_;
  uint32_t size_ = 0;
  std::string bytes_;
};

// Whether PostgreSQL has this time: it begins in the year 4713 BC, and ends later than an int64_t does.
bool IsTimestamp(int64_t micros);
// A time as timestamptz_send() gives it, in microseconds since 1970.
int64_t FromTimestamp(uint64_t sent);

}  // namespace kvs::txn
