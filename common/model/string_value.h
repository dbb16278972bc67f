// StringValue: a text in little memory.
#pragma once

#include <absl/strings/string_view.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "common/model/heap_bytes.h"

namespace kvs {

// One pointer to a block that holds size and bytes; null if it is empty. A std::string takes four words besides its
// block, and there may be hundreds of millions of these.
//
// Thread-safety: as std::string.
class StringValue {
 public:
  StringValue() = default;
  // Of every kind of text, which becomes one of these where one is wanted.
  template <class S, class = std::enable_if_t<std::is_convertible_v<const S&, absl::string_view>>>
  StringValue(const S& bytes) {  // NOLINT(google-explicit-constructor)
    Assign(bytes);
  }
  StringValue(const StringValue& other) { Assign(other.view()); }
  StringValue(StringValue&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  StringValue& operator=(const StringValue& other) {
    if (this != &other) Assign(other.view());
    return *this;
  }
  StringValue& operator=(StringValue&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~StringValue();

  // REQUIRES, as Append: `bytes` are not those of this text, and not 4 GiB.
  void Assign(absl::string_view bytes);
  // Takes time in proportion to `bytes` in the long run, as the sizes of the allocator's blocks grow by a factor.
  void Append(absl::string_view bytes);

  absl::string_view view() const;
  operator absl::string_view() const { return view(); }  // NOLINT(google-explicit-constructor)
  size_t size() const { return block_ ? block_->size : 0; }
  bool empty() const { return size() == 0; }
  // Where the bytes are in memory; null if there are none.
  const void* block() const { return block_; }

  // What a text of this size takes on the heap.
  static constexpr size_t HeapBytes(size_t size) { return size == 0 ? 0 : HeapBlockBytes(sizeof(Block) + size); }

  friend bool operator==(const StringValue& a, absl::string_view b) { return a.view() == b; }

 private:
  struct Block {
    uint32_t size;  // of the bytes, which follow
  };

  // A block for so many bytes, which are not set.
  static Block* NewBlock(size_t size);
  static char* BytesOf(Block* block) { return reinterpret_cast<char*>(block + 1); }

  Block* block_ = nullptr;  // of HeapBytes(size())
};

}  // namespace kvs
