// Scans of a real pair while others write.
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "kvs/v1/keys.grpc.pb.h"
#include "tests/integration/support/api_pair.h"
#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs {
namespace {

constexpr int kAccounts = 3000;

class ScanOfPair : public ApiPair {
 protected:
  // What a scan tells of each key, and its revision.
  std::map<std::string, int64_t> Scan(uint64_t* revision) {
    grpc::ClientContext context;
    v1::Keys::Stub stub(pair_.channel());
    const auto reader = stub.Scan(&context, v1::KeysScanRequest());
    std::map<std::string, int64_t> values;
    v1::KeysScanResponse message;
    while (reader->Read(&message)) {
      if (message.has_revision()) *revision = message.revision();
      for (const auto& entry : message.entries()) {
        CHECK(entry.revision() <= *revision);
        CHECK(values.emplace(entry.key(), entry.value().int_value()).second);
      }
    }
    CHECK(reader->Finish().ok());
    return values;
  }
};

TEST_CASE_METHOD(ScanOfPair,
                 "while batches move amounts between keys, every scan has the same sum, and so has a restart") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::string all;
  for (int i = 0; i < kAccounts; ++i) absl::StrAppend(&all, "keys: 'account-", 10000 + i, "' values: 100 ");
  Ask("IntStore.MultiPut", all);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    std::mt19937 random(seed);
    while (!stop) {
      const auto from = 10000 + random() % kAccounts;
      const auto to = 10000 + random() % kAccounts;
      Ask("Batch.Execute",
          absl::StrCat("atomic: true operations { int_increment { key: 'account-", from,
                       "' delta: -7 } } operations { int_increment { key: 'account-", to,
                       "' delta: 7 } } operations { int_put { key: 'passing' value: 0 } } operations { "
                       "int_delete { key: 'passing' } }"));
    }
  });
  uint64_t before = 0;
  for (int round = 0; round < 30; ++round) {
    uint64_t revision = 0;
    const auto values = Scan(&revision);
    CHECK(values.size() == kAccounts);
    int64_t sum = 0;
    for (const auto& [key, value] : values) sum += value;
    CHECK(sum == 100 * kAccounts);
    CHECK(revision >= before);
    before = revision;
  }
  stop = true;
  writer.join();
  uint64_t revision = 0;
  const auto values = Scan(&revision);
  Restart();
  uint64_t after = 0;
  CHECK(Scan(&after) == values);
  CHECK(after == revision);
}

}  // namespace
}  // namespace kvs
