#include "clients/bench/request_template.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <grpc/slice.h>
#include <grpcpp/support/slice.h>

#include <cstring>
#include <utility>

namespace kvs::bench {
namespace {

// Writes the number so that it ends before `end`. The zeros that lead it are there already.
void WriteDigits(uint64_t number, char* end) {
  for (; number > 0; number /= 10) *--end = static_cast<char>('0' + number % 10);
}

}  // namespace

size_t KeySpace::LeastSize(uint64_t count) { return kPrefix.size() + absl::StrCat(count == 0 ? 0 : count - 1).size(); }

std::string KeySpace::Name(uint64_t number) const {
  return absl::StrFormat("%s%0*d", prefix_, static_cast<int>(size_ - prefix_.size()), number);
}

RequestTemplate::RequestTemplate(std::string bytes, const KeySpace& keys) : bytes_(std::move(bytes)) {
  const std::string zero = keys.Name(0);
  for (size_t at = bytes_.find(keys.prefix()); at != std::string::npos; at = bytes_.find(keys.prefix(), at)) {
    bytes_.replace(at, zero.size(), zero);
    at += zero.size();
    number_ends_.push_back(at);
  }
}

void RequestTemplate::Fill(char* request, KeyNumbers& numbers) const {
  for (const size_t end : number_ends_) WriteDigits(numbers.Next(), request + end);
}

grpc::ByteBuffer RequestTemplate::Make(KeyNumbers& numbers) const {
  grpc_slice bytes = grpc_slice_malloc(bytes_.size());
  std::memcpy(GRPC_SLICE_START_PTR(bytes), bytes_.data(), bytes_.size());
  Fill(reinterpret_cast<char*>(GRPC_SLICE_START_PTR(bytes)), numbers);
  const grpc::Slice slice(bytes, grpc::Slice::STEAL_REF);
  return {&slice, 1};
}

void RequestTemplate::AppendTo(std::string* out, KeyNumbers& numbers) const {
  const size_t begin = out->size();
  out->append(bytes_);
  Fill(out->data() + begin, numbers);
}

}  // namespace kvs::bench
