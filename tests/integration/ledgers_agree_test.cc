// The same commands end in the same state, with the same replies and revisions, whatever the ledger is.

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/limits.h"
#include "tests/integration/support/api_pair.h"
#include "tests/support/postgres_cluster.h"
#include "tests/support/temp_dir.h"
#include "txn_server/log/file/file_txn_log.h"
#include "txn_server/log/postgres/postgres_txn_log.h"

namespace kvs {
namespace {

class PairOn : public ApiPair {
 public:
  explicit PairOn(const Pair::OpenLog& open_log) : ApiPair(16 * kKiB, open_log) {}

  using ApiPair::Ask;
  using ApiPair::LatestRevision;
  using ApiPair::Restart;
  std::vector<std::string> Dump() const { return client().Dump(); }
};

std::unique_ptr<txn::TxnLog> OpenFile(const std::string& directory) {
  txn::FileTxnLogOptions options;
  options.directory = directory;
  options.compaction.min_bytes = 64 * kKiB;
  options.compaction.ballast_bytes = 0;
  auto log = txn::OpenFileTxnLog(options);
  REQUIRE(log.status() == absl::OkStatus());
  return *std::move(log);
}

std::unique_ptr<txn::TxnLog> OpenPostgres(const std::string& url) {
  txn::PostgresTxnLogOptions options;
  options.url = url;
  auto log = txn::OpenPostgresTxnLog(options);
  REQUIRE(log.status() == absl::OkStatus());
  return *std::move(log);
}

// Commands as no client would choose them: small keys that meet again, and texts and numbers at the edges.
class RandomCommands {
 public:
  explicit RandomCommands(unsigned seed) : random_(seed) {}

  // Method and request, as ApiClient takes them.
  std::pair<std::string, std::string> Next() {
    const std::string key = Field("key", Pick({"k", "l", "m", "n", AnyText(), AnyText()}));
    switch (random_() % 14) {
      case 0:
        return {"IntStore.Put", key + "value: " + AnyInt()};
      case 1:
        return {"IntStore.Increment", key + "delta: " + AnyInt()};
      case 2:
        return {"UintStore.Put", key + "value: " + AnyUint()};
      case 3:
        return {"UintStore.Increment", key + Pick({"delta: ", "decrement: "}) + AnyUint()};
      case 4:
        return {"FloatStore.Put", key + "value: " + AnyFloat()};
      case 5:
        return {"FloatStore.Increment", key + "delta: " + AnyFloat()};
      case 6:
        return {"StringStore.Put", key + Field("value", AnyText())};
      case 7:
        return {"StringStore.Append", key + Field("value", AnyText())};
      case 8:
        return {Pick({"SetStore.Put", "SetStore.Add"}), key + Many("members")};
      case 9:
        return {"SetStore.Remove", key + Many("members")};
      case 10:
        return {Pick({"MapStore.Put", "MapStore.PutFields"}), key + ManyFields()};
      case 11:
        return {"MapStore.RemoveFields", key + Many("names")};
      case 12:
        return {Pick({"IntStore", "UintStore", "FloatStore", "StringStore", "SetStore", "MapStore"}) + ".Delete", key};
      default:
        return {"Keys.Delete",
                key + Pick({"", "types: VALUE_TYPE_SET types: VALUE_TYPE_MAP", "types: VALUE_TYPE_INT"})};
    }
  }

 private:
  std::string Pick(const std::vector<std::string>& from) { return from[random_() % from.size()]; }

  std::string AnyText() {
    std::string longest;
    // Hardly compressible, and 4 bytes each.
    while (longest.size() < 1024)
      longest += {'\xF0', '\x9F', char('\x80' + random_() % 64), char('\x80' + random_() % 64)};
    return Pick({"",          "a",
                 "b",         "'",
                 "\"",        "\\",
                 "\\\\N",     ",",
                 "{}",        "{NULL}",
                 "NULL",      " ",
                 "\t\r\n",    "\x01",
                 "\x7F",      "%",
                 "_",         "$1",
                 "ÄÖ",        "\xF0\x9F\x98\x80",
                 "e\xCC\x81", "\xEF\xBF\xBF",
                 longest,     std::string(1024, '\'')});
  }
  static std::string Field(const std::string& name, const std::string& text) {
    return absl::StrCat(name, ": '", absl::CEscape(text), "' ");
  }
  std::string Many(const std::string& name) {
    std::string all;
    for (size_t count = random_() % 4; count > 0; --count) all += Field(name, AnyText());
    return all;
  }
  std::string ManyFields() {
    std::string all;
    for (size_t count = random_() % 4; count > 0; --count) {
      absl::StrAppend(&all, "fields { ", Field("key", AnyText()), Field("value", AnyText()), "} ");
    }
    return all;
  }
  std::string AnyInt() {
    return Pick(
        {"0", "1", "-1", "9223372036854775807", "-9223372036854775808", absl::StrCat(static_cast<int32_t>(random_()))});
  }
  std::string AnyUint() {
    return Pick({"0", "1", "9999", "10000", "18446744073709551615", absl::StrCat(static_cast<uint32_t>(random_()))});
  }
  std::string AnyFloat() {
    return Pick(
        {"0", "-0.0", "0.1", "-1e-7", "5e-324", "1.7976931348623157e308", "2.2250738585072014e-308", "inf", "nan"});
  }

  std::mt19937 random_;
};

TEST_CASE("the file ledger and PostgreSQL agree on a random history of all types, also after a restart") {
  const char* given = std::getenv("KVS_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::atoi(given)) : std::random_device{}();
  INFO("KVS_SEED=" << seed);
  const TempDir directory;
  PostgresCluster& cluster = PostgresCluster::Shared();
  const std::string url = cluster.Url(cluster.NewDatabase());
  PairOn file([&] { return OpenFile(directory / "log"); });
  PairOn postgres([&] { return OpenPostgres(url); });
  RandomCommands commands(seed);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 300; ++i) {
      const auto [method, request] = commands.Next();
      const std::string expected = file.Ask(method, request);
      const std::string reply = postgres.Ask(method, request);
      if (reply != expected) FAIL(method << " " << request << "\nfile:     " << expected << "\npostgres: " << reply);
    }
    const std::vector<std::string> live = file.Dump();
    CHECK(postgres.Dump() == live);
    file.Restart();
    postgres.Restart();
    CHECK(file.Dump() == live);
    CHECK(postgres.Dump() == live);
  }
  CHECK(file.LatestRevision() > 200);
  CHECK(postgres.LatestRevision() == file.LatestRevision());
}

}  // namespace
}  // namespace kvs
