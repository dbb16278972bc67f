// One good request for each method of the public API that takes a key.
#pragma once

#include <string>
#include <vector>

namespace kvs {

struct SampleRequest {
  std::string method;    // as ApiClient names it
  std::string operands;  // all fields but the key
  bool is_mutation;

  std::string WithKey(const std::string& key) const { return "key: '" + key + "' " + operands; }
};

inline const std::vector<SampleRequest>& SampleRequests() {
  static const auto* const samples = new std::vector<SampleRequest>{
      {"IntStore.Put", "value: 7", true},
      {"IntStore.Get", "", false},
      {"IntStore.Delete", "", true},
      {"IntStore.Increment", "delta: 7", true},
      {"UintStore.Put", "value: 7", true},
      {"UintStore.Get", "", false},
      {"UintStore.Delete", "", true},
      {"UintStore.Increment", "delta: 7", true},
      {"FloatStore.Put", "value: 7.5", true},
      {"FloatStore.Get", "", false},
      {"FloatStore.Delete", "", true},
      {"FloatStore.Increment", "delta: 7.5", true},
      {"StringStore.Put", "value: 'other'", true},
      {"StringStore.Get", "", false},
      {"StringStore.Delete", "", true},
      {"StringStore.Append", "value: 'more'", true},
      {"SetStore.Put", "members: 'other'", true},
      {"SetStore.Get", "", false},
      {"SetStore.Delete", "", true},
      {"SetStore.Add", "members: 'other'", true},
      {"SetStore.Remove", "members: 'member'", true},
      {"SetStore.Contains", "member: 'member'", false},
      {"SetStore.Size", "", false},
      {"SetStore.ListMembers", "", false},
      {"MapStore.Put", "fields { key: 'other' value: 'other' }", true},
      {"MapStore.Get", "", false},
      {"MapStore.Delete", "", true},
      {"MapStore.PutFields", "fields { key: 'other' value: 'other' }", true},
      {"MapStore.GetFields", "names: 'name'", false},
      {"MapStore.RemoveFields", "names: 'name'", true},
      {"MapStore.Size", "", false},
      {"MapStore.ListFields", "", false},
      {"Keys.Exists", "", false},
      {"Keys.Delete", "", true},
      {"Keys.Expire", "ttl { seconds: 100000 }", true},
      {"Keys.Persist", "", true},
      {"Keys.GetExpiry", "", false},
  };
  return *samples;
}

// Puts of one key of each type, all of them with different values than the samples.
inline const std::vector<SampleRequest>& SampleValues() {
  static const auto* const values = new std::vector<SampleRequest>{
      {"IntStore.Put", "value: 41", true},         {"UintStore.Put", "value: 41", true},
      {"FloatStore.Put", "value: 0.5", true},      {"StringStore.Put", "value: 'text'", true},
      {"SetStore.Put", "members: 'member'", true}, {"MapStore.Put", "fields { key: 'name' value: 'value' }", true},
  };
  return *values;
}

// A call as an operation of a batch, in text form: the field of SetStore.ListMembers is set_list_members.
inline std::string OperationField(const std::string& method) {
  std::string field = method;
  if (const size_t at = field.find("Store"); at != std::string::npos) field.erase(at, 5);
  field.erase(field.find('.'), 1);
  std::string snake;
  for (const char letter : field) {
    if (letter >= 'A' && letter <= 'Z') {
      if (!snake.empty()) snake += '_';
      snake += static_cast<char>(letter - 'A' + 'a');
    } else {
      snake += letter;
    }
  }
  return snake;
}
inline std::string OperationText(const std::string& method, const std::string& request) {
  return "operations { " + OperationField(method) + " { " + request + " } } ";
}

}  // namespace kvs
