// The wire format of Protocol Buffers, as far as the messages use it that are read and written by hand, without copies:
// generated code takes a block of memory for each text, which is most of what a transaction would cost.
//
// Specified in https://protobuf.dev/programming-guides/encoding.
#pragma once

#include <absl/base/attributes.h>
#include <absl/base/casts.h>
#include <absl/strings/string_view.h>
#include <google/protobuf/io/coded_stream.h>

#include <cstdint>

namespace kvs::wire {

enum Type : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

constexpr uint32_t Tag(uint32_t field, Type type) { return field << 3 | type; }

// For signed numbers, so that small ones are short.
constexpr uint64_t ZigZag(int64_t value) {
  return static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
}
constexpr int64_t FromZigZag(uint64_t value) { return static_cast<int64_t>(value >> 1 ^ (~(value & 1) + 1)); }

inline void PutFixed64(char* to, uint64_t value) {
  google::protobuf::io::CodedOutputStream::WriteLittleEndian64ToArray(value, reinterpret_cast<uint8_t*>(to));
}

// Counts the bytes of what Writer would write. Both have the same functions, each of which adds one field, so that one
// template makes the bytes and tells their number beforehand. Whether a default value is left out is up to the caller.
class Sizer {
 public:
  size_t size() const { return size_; }

  void Fixed64(uint32_t field, uint64_t) { size_ += TagSize(field) + sizeof(uint64_t); }
  void Varint(uint32_t field, uint64_t value) { size_ += TagSize(field) + VarintSize(value); }
  void Bytes(uint32_t field, absl::string_view bytes) { AddBlock(field, bytes.size()); }
  // A message, whose fields body(to) adds.
  template <class Body>
  void Message(uint32_t field, Body body) {
    Sizer inner;
    body(inner);
    AddBlock(field, inner.size_);
  }
  // Text or a message of this size.
  void AddBlock(uint32_t field, size_t size) { size_ += TagSize(field) + VarintSize(size) + size; }

 private:
  static size_t VarintSize(uint64_t value) { return google::protobuf::io::CodedOutputStream::VarintSize64(value); }
  static size_t TagSize(uint32_t field) { return VarintSize(Tag(field, kVarint)); }

  size_t size_ = 0;
};

// Writes fields into memory that is large enough.
class Writer {
 public:
  explicit Writer(char* to) : to_(reinterpret_cast<uint8_t*>(to)) {}

  void Fixed64(uint32_t field, uint64_t value) {
    Varint(Tag(field, kFixed64));
    to_ = Stream::WriteLittleEndian64ToArray(value, to_);
  }
  void Varint(uint32_t field, uint64_t value) {
    Varint(Tag(field, kVarint));
    Varint(value);
  }
  void Bytes(uint32_t field, absl::string_view bytes) {
    BeginBlock(field, bytes.size());
    to_ = Stream::WriteRawToArray(bytes.data(), static_cast<int>(bytes.size()), to_);
  }
  template <class Body>
  void Message(uint32_t field, Body body) {
    Sizer sizer;
    body(sizer);
    Message(field, sizer.size(), body);
  }
  // The same of a message whose size is known.
  template <class Body>
  void Message(uint32_t field, size_t size, Body body) {
    BeginBlock(field, size);
    body(*this);
  }

 private:
  using Stream = google::protobuf::io::CodedOutputStream;

  void Varint(uint64_t value) { to_ = Stream::WriteVarint64ToArray(value, to_); }
  void BeginBlock(uint32_t field, size_t size) {
    Varint(Tag(field, kBytes));
    Varint(size);
  }

  uint8_t* to_;
};

// Reads the fields of a message. Once ok() is false, what it returns is meaningless.
class Reader {
 public:
  explicit Reader(absl::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  // Whether all that was read is well-formed.
  bool ok() const { return is_ok_; }

  // Goes on to the next field, whose value is taken by exactly one of the functions below before this is called again.
  // False at the end, and where the bytes are no message.
  bool Next() {
    if (at_ == end_ || !is_ok_) return false;
    const uint64_t tag = TakeVarint();
    field_ = static_cast<uint32_t>(tag >> 3);
    type_ = static_cast<Type>(tag & 7);
    if (tag > UINT32_MAX || field_ == 0) Fail();
    return is_ok_;
  }

  // What has not been read.
  absl::string_view rest() const { return {at_, left()}; }

  // Calls on_field(reader) for each field; that takes its value, by exactly one of the functions below, and returns
  // true, or returns false if it does not know the field.
  template <class OnField>
  void ReadAll(OnField on_field) {
    while (Next()) {
      if (!on_field(*this)) Skip();
    }
  }

  // The number of the current field.
  uint32_t field() const { return field_; }

  uint64_t Fixed64() {
    if (type_ != kFixed64 || left() < sizeof(uint64_t)) return Fail();
    uint64_t value = 0;
    google::protobuf::io::CodedInputStream::ReadLittleEndian64FromArray(reinterpret_cast<const uint8_t*>(at_), &value);
    at_ += sizeof(value);
    return value;
  }
  double Double() { return absl::bit_cast<double>(Fixed64()); }
  uint64_t Varint() { return type_ == kVarint ? TakeVarint() : Fail(); }
  int64_t SignedVarint() { return FromZigZag(Varint()); }
  // Borrows.
  absl::string_view Bytes() {
    if (type_ != kBytes) Fail();
    const uint64_t size = TakeVarint();
    if (size > left()) Fail();
    if (!is_ok_) return {};
    const absl::string_view bytes(at_, size);
    at_ += size;
    return bytes;
  }
  // Calls on_value(reader) for each number of a packed list; that takes it by PackedVarint or PackedFixed64.
  template <class OnValue>
  void Packed(OnValue on_value) {
    Reader inner(Bytes());
    while (inner.at_ != inner.end_ && inner.is_ok_) on_value(inner);
    is_ok_ = is_ok_ && inner.is_ok_;
  }
  uint64_t PackedVarint() { return TakeVarint(); }
  uint64_t PackedFixed64() {
    type_ = kFixed64;
    return Fixed64();
  }
  // Calls on_field for each field of a message.
  template <class OnField>
  void Message(OnField on_field) {
    Reader inner(Bytes());
    inner.ReadAll(on_field);
    is_ok_ = is_ok_ && inner.is_ok_;
  }

 private:
  void Skip() {
    switch (type_) {
      case kVarint:
        TakeVarint();
        break;
      case kFixed64:
        Drop(sizeof(uint64_t));
        break;
      case kFixed32:
        Drop(sizeof(uint32_t));
        break;
      case kBytes:
        Bytes();
        break;
      default:
        Fail();
    }
  }
  uint64_t Fail() {
    is_ok_ = false;
    return 0;
  }
  void Drop(size_t size) {
    if (size > left()) return static_cast<void>(Fail());
    at_ += size;
  }
  // Most are of one byte.
  ABSL_ATTRIBUTE_ALWAYS_INLINE uint64_t TakeVarint() {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) return static_cast<uint8_t>(*at_++);
    return TakeLongVarint();
  }
  uint64_t TakeLongVarint() {
    uint64_t value = 0;
    for (size_t i = 0; i < left() && i < 10; ++i) {
      const uint64_t byte = static_cast<uint8_t>(at_[i]);
      value |= (byte & 0x7F) << (7 * i);
      if (byte < 0x80) {
        at_ += i + 1;
        return value;
      }
    }
    return Fail();
  }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  const char* at_;
  const char* end_;
  bool is_ok_ = true;
  uint32_t field_ = 0;
  Type type_{};
};

// A field whose value is a message.
struct MessageField {
  uint32_t field = 0;
  absl::string_view message;
  absl::string_view bytes;  // the whole field, with its number
};

// Takes the first field off `bytes`, and borrows from them. False if there is none that may be a message; `bytes` stay
// as they are then.
inline bool TakeMessage(absl::string_view* bytes, MessageField* first) {
  Reader reader(*bytes);
  if (!reader.Next()) return false;
  first->field = reader.field();
  first->message = reader.Bytes();
  if (!reader.ok()) return false;
  const absl::string_view rest = reader.rest();
  first->bytes = {bytes->data(), bytes->size() - rest.size()};
  *bytes = rest;
  return true;
}

}  // namespace kvs::wire
