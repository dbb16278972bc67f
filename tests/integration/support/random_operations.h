// Random operations of all types and verbs, as messages. They are filled in by their fields' names, so that a new verb
// needs nothing here.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/util/time_util.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kvs/v1/batch.pb.h"

namespace kvs {

// Few keys, so that operations meet on them; values at the edges; now and then something that is refused.
class RandomOperations {
 public:
  explicit RandomOperations(uint64_t seed) : random_(seed) {}

  // A number below `bound`.
  uint64_t Below(uint64_t bound) { return random_() % bound; }

  // The next one; a precondition may name a revision around `revision`.
  v1::BatchOperation Next(uint64_t revision) {
    v1::BatchOperation operation;
    const auto* kinds = v1::BatchOperation::descriptor()->FindOneofByName("operation");
    const auto* kind = kinds->field(static_cast<int>(Below(kinds->field_count())));
    Fill(*operation.GetReflection()->MutableMessage(&operation, kind), revision);
    return operation;
  }

 private:
  using Message = google::protobuf::Message;
  using Field = google::protobuf::FieldDescriptor;

  bool OneIn(uint64_t count) { return Below(count) == 0; }

  void Fill(Message& request, uint64_t revision) {
    // Lists that go together have the same length.
    const size_t length = Below(4);
    for (int i = 0; i < request.GetDescriptor()->field_count(); ++i) {
      const Field* field = request.GetDescriptor()->field(i);
      if (field->name() == "request_id") continue;
      if (field->name() == "ttl") {
        if (field->number() == 15 ? OneIn(6) : !OneIn(20))
          SetTtl(static_cast<google::protobuf::Duration&>(Sub(request, field)));
      } else if (field->name() == "precondition") {
        if (OneIn(6)) SetPrecondition(static_cast<v1::Precondition&>(Sub(request, field)), revision);
      } else if (field->is_map()) {
        for (size_t n = 0; n < length; ++n) AddField(request, field);
      } else if (field->is_repeated()) {
        const size_t count = field->name() == "deltas" ? (OneIn(2) ? Below(2) : length) : length;
        for (size_t n = OneIn(40) ? 1 : 0; n < count; ++n) Add(request, field);
      } else if (field->name() == "key" || field->name() == "member" || !OneIn(20)) {
        // One of a oneof, such as `delta` and `decrement`, replaces the other.
        if (!field->real_containing_oneof() || OneIn(2)) Set(request, field);
      }
    }
  }

  Message& Sub(Message& message, const Field* field) {
    return *message.GetReflection()->MutableMessage(&message, field);
  }

  void SetTtl(google::protobuf::Duration& ttl) {
    // Of 0 seconds it is refused.
    ttl = google::protobuf::util::TimeUtil::MillisecondsToDuration(static_cast<int64_t>(Below(20) * 1500));
  }
  void SetPrecondition(v1::Precondition& precondition, uint64_t revision) {
    if (OneIn(3)) {
      precondition.set_must_exist(true);
    } else if (OneIn(2)) {
      precondition.set_must_not_exist(true);
    } else {
      precondition.set_revision_equals(OneIn(3) ? 0 : revision - std::min<uint64_t>(revision, Below(20)));
    }
  }
  void AddField(Message& request, const Field* field) {
    Message* entry = request.GetReflection()->AddMessage(&request, field);
    entry->GetReflection()->SetString(entry, field->message_type()->map_key(), Name());
    entry->GetReflection()->SetString(entry, field->message_type()->map_value(), Text());
  }

  void Set(Message& request, const Field* field) {
    const auto* reflection = request.GetReflection();
    switch (field->cpp_type()) {
      case Field::CPPTYPE_STRING:
        return reflection->SetString(&request, field, TextOf(field));
      case Field::CPPTYPE_INT64:
        return reflection->SetInt64(&request, field, Int());
      case Field::CPPTYPE_UINT64:
        return reflection->SetUInt64(&request, field, Uint());
      case Field::CPPTYPE_UINT32:
        return reflection->SetUInt32(&request, field, static_cast<uint32_t>(1 + Below(3)));
      case Field::CPPTYPE_DOUBLE:
        return reflection->SetDouble(&request, field, Float());
      case Field::CPPTYPE_BOOL:
        return reflection->SetBool(&request, field, OneIn(2));
      default:
        throw std::logic_error("no random value for " + field->full_name());
    }
  }
  void Add(Message& request, const Field* field) {
    const auto* reflection = request.GetReflection();
    switch (field->cpp_type()) {
      case Field::CPPTYPE_STRING:
        return reflection->AddString(&request, field, TextOf(field));
      case Field::CPPTYPE_INT64:
        return reflection->AddInt64(&request, field, Int());
      case Field::CPPTYPE_UINT64:
        return reflection->AddUInt64(&request, field, Uint());
      case Field::CPPTYPE_DOUBLE:
        return reflection->AddDouble(&request, field, Float());
      case Field::CPPTYPE_ENUM:
        return reflection->AddEnumValue(&request, field, static_cast<int>(1 + Below(6)));
      default:
        throw std::logic_error("no random value for " + field->full_name());
    }
  }

  std::string TextOf(const Field* field) {
    if (field->name() == "key" || field->name() == "keys") return Key();
    return field->name() == "value" || field->name() == "values" ? Text() : Name();
  }
  std::string Key() { return OneIn(60) ? "" : Pick<std::string>({"a", "b", "c", "d", "\xF0\x9F\x98\x80", "e\n"}); }
  std::string Name() { return Pick<std::string>({"a", "b", "ab", "c", "\x01", "z\xC3\xA4"}); }
  std::string Text() { return Pick<std::string>({"", "a", "b", "'\"\\", "\xF0\x9F\x98\x80", std::string(70, 'x')}); }
  int64_t Int() {
    using Limits = std::numeric_limits<int64_t>;
    return Pick<int64_t>({0, 1, -1, 5, Limits::max(), Limits::min(), static_cast<int64_t>(Below(1000))});
  }
  uint64_t Uint() {
    return Pick<uint64_t>({0, 1, 5, std::numeric_limits<uint64_t>::max(), uint64_t{1} << 63, Below(1000)});
  }
  double Float() {
    using Limits = std::numeric_limits<double>;
    return Pick<double>({0, -0.0, 0.1, -1.5, Limits::max(), Limits::denorm_min(), OneIn(10) ? Limits::infinity() : 1});
  }

  template <class T>
  T Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }

  std::mt19937_64 random_;
};

}  // namespace kvs
