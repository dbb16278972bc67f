// What keys take in memory, as the operating system counts it, beside what kvs_server estimates: the constants of
// common/model/heap_bytes.h, common/model/value.cc and kvs_server/store/footprint.h. And what remembered requests take,
// beside the bytes that their bound counts. A process of its own for each row.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "common/model/request_window.h"
#include "kvs_server/store/store.h"

namespace {

using kvs::Fields;
using kvs::Texts;
using kvs::ValueType;
using kvs::server::Store;

constexpr size_t kShards = 64;

size_t ResidentBytes() {
  size_t pages = 0;
  size_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// A text of this size that only i has, in an order of its own.
std::string Text(uint64_t i, size_t size) {
  char digits[129];
  const unsigned long long scattered = i * 0x9E3779B97F4A7C15;
  std::snprintf(digits, sizeof(digits), "%016llx%0112d", scattered, 0);
  return std::string(digits, size);
}

struct Row {
  const char* name;
  ValueType type;
  uint64_t keys;
  size_t elements = 0;   // of a collection
  size_t text_size = 0;  // of a string, a member, or a field's value
  bool expires = false;
  bool one_by_one = false;  // how the elements came
};

class Filler {
 public:
  explicit Filler(const Row& row) : row_(row) {}

  void Fill(Store* store) {
    for (uint64_t i = 0; i < row_.keys; ++i) {
      const std::string key = Text(i, 16);
      uint64_t previous = 0;
      const size_t steps = row_.one_by_one ? row_.elements : 1;
      for (size_t step = 0; step < steps; ++step) previous = Apply(store, key, previous, i, step);
    }
  }

 private:
  uint64_t Apply(Store* store, const std::string& key, uint64_t previous, uint64_t i, size_t step) {
    kvs::Transaction transaction;
    transaction.revision = ++revision_;
    transaction.previous_revision = previous;
    transaction.type = row_.type;
    transaction.key = key;
    if (row_.expires)
      transaction.expires_at_micros = 1'700'000'000'000'000 + static_cast<int64_t>(i * 7919 % row_.keys);
    MakeTexts(i, step);
    switch (row_.type) {
      case ValueType::kInt:
      case ValueType::kUint:
      case ValueType::kFloat:
        transaction.operation = kvs::operation::Put{int64_t{7}};
        break;
      case ValueType::kString:
        transaction.operation = kvs::operation::Put{absl::string_view(texts_[0])};
        break;
      case ValueType::kSet:
        transaction.operation = kvs::operation::AddMembers{Texts(texts_.begin(), texts_.end())};
        break;
      case ValueType::kMap:
        Fields fields;
        for (const std::string& text : texts_) fields.emplace_back(text, text);
        transaction.operation = kvs::operation::PutFields{std::move(fields)};
        break;
    }
    if (!store->Apply(transaction).ok()) std::abort();
    return revision_;
  }

  void MakeTexts(uint64_t i, size_t step) {
    texts_.clear();
    const size_t count = row_.elements == 0 || row_.one_by_one ? 1 : row_.elements;
    for (size_t element = 0; element < count; ++element) {
      texts_.push_back(Text(i * 1000003 + step * 1009 + element, row_.text_size));
    }
    std::sort(texts_.begin(), texts_.end());
  }

  const Row& row_;
  uint64_t revision_ = 0;
  std::vector<std::string> texts_;
};

void Measure(const Row& row) {
  Store store(kShards);
  const size_t before = ResidentBytes();
  Filler(row).Fill(&store);
  const double resident = static_cast<double>(ResidentBytes() - before);
  const double estimate = static_cast<double>(store.usage().total().bytes);
  std::printf("%-34s %9llu %9.1f %9.1f %+8.1f %%\n", row.name, static_cast<unsigned long long>(row.keys),
              resident / row.keys, estimate / row.keys, 100 * (estimate / resident - 1));
  std::fflush(stdout);
  std::_Exit(0);
}

// Requests as clients of this project name them, with an answer of so many bytes, until the oldest have to go.
void MeasureRequests(size_t answer_size) {
  constexpr uint64_t kRequests = 1'200'000;
  const std::string answer(answer_size, 'a');
  kvs::RequestWindow window;
  const size_t before = ResidentBytes();
  for (uint64_t i = 1; i <= kRequests; ++i) {
    const std::string id = Text(i, 32);
    window.Add({i, static_cast<int64_t>(i), "spiffe://kvs/client/dev", id, {i, 1, answer}});
  }
  const double resident = static_cast<double>(ResidentBytes() - before);
  const double size = static_cast<double>(window.size());
  std::printf("request, answer of %-4zu bytes        %9zu %9.1f %9.1f\n", answer_size, window.size(), resident / size,
              static_cast<double>(window.bytes()) / size);
  std::fflush(stdout);
  std::_Exit(0);
}

// Runs measure() in a process of its own; false if that cannot be.
template <class Measurement>
bool InProcess(Measurement measure) {
  const pid_t child = fork();
  if (child == 0) measure();
  return child > 0 && waitpid(child, nullptr, 0) > 0;
}

}  // namespace

int main() {
  const Row rows[] = {
      {"int", ValueType::kInt, 1'000'000},
      {"int", ValueType::kInt, 700'000},
      {"int", ValueType::kInt, 1'400'000},
      {"int that expires", ValueType::kInt, 1'000'000, 0, 0, true},
      {"string of 10", ValueType::kString, 1'000'000, 0, 10},
      {"string of 100", ValueType::kString, 1'000'000, 0, 100},
      {"set of 1, 10 bytes", ValueType::kSet, 1'000'000, 1, 10},
      {"set of 10, 10 bytes", ValueType::kSet, 100'000, 10, 10},
      {"set of 10, 20 bytes, one by one", ValueType::kSet, 100'000, 10, 20, false, true},
      {"set of 1000, 10 bytes", ValueType::kSet, 1'000, 1000, 10},
      {"set of 1000, 10 bytes, one by one", ValueType::kSet, 1'000, 1000, 10, false, true},
      {"map of 1, 10 and 10 bytes", ValueType::kMap, 1'000'000, 1, 10},
      {"map of 10, 10 and 10 bytes", ValueType::kMap, 100'000, 10, 10},
      {"map of 10, 20 and 20, one by one", ValueType::kMap, 100'000, 10, 20, false, true},
      {"map of 1000, 10 and 10 bytes", ValueType::kMap, 1'000, 1000, 10},
      {"map of 1000, 10 and 10, one by one", ValueType::kMap, 1'000, 1000, 10, false, true},
  };
  std::printf("keys of 16 bytes                        keys  resident  estimate  difference\n");
  std::fflush(stdout);
  for (const Row& row : rows) {
    if (!InProcess([&row] { Measure(row); })) return 1;
  }
  std::printf("requests that are remembered        requests  resident   counted\n");
  std::fflush(stdout);
  for (const size_t answer_size : {8, 30, 200}) {
    if (!InProcess([answer_size] { MeasureRequests(answer_size); })) return 1;
  }
  return 0;
}
