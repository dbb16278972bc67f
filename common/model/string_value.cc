#include "common/model/string_value.h"

#include <cstring>
#include <new>

namespace kvs {

StringValue::~StringValue() { ::operator delete(block_); }

StringValue::Block* StringValue::NewBlock(size_t size) {
  auto* block = static_cast<Block*>(::operator new(HeapBytes(size)));
  block->size = static_cast<uint32_t>(size);
  return block;
}

void StringValue::Assign(absl::string_view bytes) {
  if (HeapBytes(bytes.size()) != HeapBytes(size())) {
    ::operator delete(std::exchange(block_, nullptr));
    if (!bytes.empty()) block_ = NewBlock(bytes.size());
  }
  if (bytes.empty()) return;
  std::memcpy(BytesOf(block_), bytes.data(), bytes.size());
  block_->size = static_cast<uint32_t>(bytes.size());
}

void StringValue::Append(absl::string_view bytes) {
  if (bytes.empty()) return;
  const size_t old_size = size();
  const size_t new_size = old_size + bytes.size();
  if (HeapBytes(new_size) != HeapBytes(old_size)) {
    Block* const grown = NewBlock(new_size);
    std::memcpy(BytesOf(grown), view().data(), old_size);
    ::operator delete(std::exchange(block_, grown));
  }
  std::memcpy(BytesOf(block_) + old_size, bytes.data(), bytes.size());
  block_->size = static_cast<uint32_t>(new_size);
}

absl::string_view StringValue::view() const {
  if (!block_) return "";
  return {BytesOf(block_), block_->size};
}

}  // namespace kvs
