// Values as the text that people see.
#pragma once

#include <google/protobuf/map.h>
#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kvs/v1/common.pb.h"

namespace kvs::cli {

// Bare values: as they are.
std::string ValueText(int64_t value);
std::string ValueText(uint64_t value);
std::string ValueText(double value);
std::string ValueText(const std::string& value);

// Members, one per line, each line ended; see OnOneLine.
std::string MembersText(const google::protobuf::RepeatedPtrField<std::string>& members);

// A field as a line NAME=VALUE, ended. An = in the name is escaped too, so that the first one in the line separates.
std::string FieldText(const std::string& name, const std::string& value);

// Fields, in byte order of their names.
std::string FieldsText(const google::protobuf::Map<std::string, std::string>& fields);

// A value as the words that `kvs put` takes for it, members and fields in byte order.
std::vector<std::string> ValueWords(const v1::Value& value);

// Fields as the words that `kvs put --escaped` takes, in byte order: each as FieldText has it, not ended.
std::vector<std::string> EscapedFields(const google::protobuf::Map<std::string, std::string>& fields);

// A time, given in microseconds since 1970, to the microsecond.
std::string TimeText(int64_t micros);

}  // namespace kvs::cli
