#include "txn_server/log/postgres/binary_parameters.h"

#include <array>
#include <cstring>
#include <utility>

namespace kvs::txn {
namespace {

// From 1970 to 2000, where PostgreSQL begins to count.
constexpr int64_t kEpochMicros = 946'684'800'000'000;
constexpr int64_t kMinTimestamp = -210'866'803'200'000'000;  // 4713-01-01 BC

constexpr size_t kHeaderBytes = 5 * sizeof(uint32_t);

// In network order.
template <class T>
void Put(std::string* bytes, T value) {
  for (size_t i = sizeof(T); i-- > 0;) bytes->push_back(static_cast<char>(value >> (8 * i)));
}

}  // namespace

std::string BinaryBigint(uint64_t value) {
  std::string bytes;
  Put(&bytes, value);
  return bytes;
}

BinaryArray::BinaryArray(Type type) : type_(type), bytes_(kHeaderBytes, '\0') {}

void BinaryArray::AddNull() {
  ++size_;
  Put(&bytes_, ~uint32_t{0});
}

void BinaryArray::AddBigint(uint64_t value) {
  ++size_;
  Put(&bytes_, static_cast<uint32_t>(sizeof(value)));
  Put(&bytes_, value);
}

void BinaryArray::AddText(absl::string_view value) {
  ++size_;
  Put(&bytes_, static_cast<uint32_t>(value.size()));
  bytes_.append(value.data(), value.size());
}

void BinaryArray::AddDouble(double value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  AddBigint(bits);
}

void BinaryArray::AddTimestamp(int64_t micros) { AddBigint(static_cast<uint64_t>(micros - kEpochMicros)); }

void BinaryArray::AddNumeric(uint64_t value) {
  // Digits to the base of 10,000, the first one not 0; their count, the weight of the first one, sign and scale.
  constexpr uint64_t kBase = 10000;
  std::array<uint16_t, 5> digits;
  size_t first = digits.size();
  for (; value > 0; value /= kBase) digits[--first] = static_cast<uint16_t>(value % kBase);
  const size_t count = digits.size() - first;
  ++size_;
  Put(&bytes_, static_cast<uint32_t>((4 + count) * sizeof(uint16_t)));
  Put(&bytes_, static_cast<uint16_t>(count));
  Put(&bytes_, static_cast<uint16_t>(count == 0 ? 0 : count - 1));
  Put(&bytes_, uint16_t{0});
  Put(&bytes_, uint16_t{0});
  for (size_t i = first; i < digits.size(); ++i) Put(&bytes_, digits[i]);
}

std::string BinaryArray::Take() {
  std::string header;
  Put(&header, uint32_t{1});  // dimensions
  Put(&header, uint32_t{1});  // may have nulls
  Put(&header, static_cast<uint32_t>(type_));
  Put(&header, size_);
  Put(&header, uint32_t{1});  // the index of the first element
  bytes_.replace(0, kHeaderBytes, header);
  return std::move(bytes_);
}

bool IsTimestamp(int64_t micros) { return micros >= kMinTimestamp; }

int64_t FromTimestamp(uint64_t sent) { return static_cast<int64_t>(sent) + kEpochMicros; }

}  // namespace kvs::txn
