#include "txn_server/log/file/segment_writer.h"

#include <random>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/test_size.h"

namespace kvs::txn {
namespace {

// The same by the definition.
bool ZeroSectorIn(const std::string& bytes) {
  for (size_t sector = 0; sector < bytes.size(); sector += kSectorBytes) {
    if (IsZero(absl::string_view(bytes).substr(sector, kSectorBytes))) return true;
  }
  return false;
}

TEST_CASE("a sector of zeros is found wherever the pieces are divided") {
  const uint64_t seed = TestSeed();
  INFO("KVS_SEED=" << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(1 + random() % 3000, '\0');
    for (unsigned i = random() % 8; i > 0; --i) bytes[random() % bytes.size()] = 'x';
    std::vector<absl::string_view> pieces;
    for (absl::string_view rest = bytes; !rest.empty();) {
      pieces.push_back(rest.substr(0, random() % 700));
      rest.remove_prefix(pieces.back().size());
    }
    REQUIRE(HasZeroSector(pieces) == ZeroSectorIn(bytes));
  }
}

TEST_CASE("nothing has no sector of zeros") {
  CHECK_FALSE(HasZeroSector({}));
  CHECK_FALSE(HasZeroSector({"", ""}));
}

}  // namespace
}  // namespace kvs::txn
