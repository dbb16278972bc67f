// Keys that expire, as clients see them, through restarts and in the ledger.

#include <absl/strings/match.h>

#include <string>
#include <vector>

#include "common/errors.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/sample_requests.h"

namespace kvs {
namespace {

// Over before the next call can be made.
const std::string kAtOnce = " ttl { nanos: 1000 }";
const std::string kInADay = " ttl { seconds: 86400 }";

class Expiry : public ApiPair {
 protected:
  // Blocks until no key is counted any more; then the ledger must have the removal of so many.
  void AwaitRemovals(size_t count) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (!absl::StartsWith(Ask("Keys.Count", ""), "count: 0 ")) REQUIRE(absl::Now() < deadline);
    size_t removed = 0;
    for (const auto& frame : Logged()) {
      for (const auto& transaction : frame.transactions()) {
        removed += transaction.delete_().cause() == ::txn::v1::Delete::CAUSE_EXPIRED;
      }
    }
    CHECK(removed == count);
  }
};

TEST_CASE_METHOD(Expiry, "a key of each type is gone when its time has come, and its removal is logged by itself") {
  for (const SampleRequest& value : SampleValues()) {
    CHECK_FALSE(absl::StrContains(Ask(value.method, value.WithKey("k") + kAtOnce), "INVALID"));
    CHECK(Ask(value.method.substr(0, value.method.find('.')) + ".Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
  }
  CHECK(absl::StartsWith(Ask("Keys.Exists", "key: 'k'"), "exists: false"));
  CHECK(client().List().empty());
  AwaitRemovals(6);
  CHECK(LatestRevision() == 12);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Expiry, "every verb that changes a value takes a ttl") {
  int taken = 0;
  for (const SampleRequest& sample : SampleRequests()) {
    if (!sample.is_mutation || absl::StartsWith(sample.method, "Keys.")) continue;
    INFO(sample.method);
    for (const SampleRequest& value : SampleValues()) Ask(value.method, value.WithKey("k"));
    if (absl::EndsWith(sample.method, ".Delete")) continue;
    CHECK_FALSE(absl::StrContains(Ask(sample.method, sample.WithKey("k") + kInADay), "INVALID"));
    CHECK(absl::StrContains(Ask("Keys.GetExpiry", "key: 'k'"), "expires_at"));
    CHECK(Ask(sample.method, sample.WithKey("k") + " ttl {}") == "INVALID_ARGUMENT INVALID_TTL");
    CHECK(Ask(sample.method, sample.WithKey("k") + " ttl { seconds: -1 }") == "INVALID_ARGUMENT INVALID_TTL");
    CHECK(Ask(sample.method, sample.WithKey("k") + kAtOnce).find("INVALID") == std::string::npos);
    CHECK(Ask(sample.method.substr(0, sample.method.find('.')) + ".Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
    ++taken;
  }
  CHECK(taken == 14);
}

TEST_CASE_METHOD(Expiry, "an expiry is set, told, kept by a restart, and taken back") {
  Ask("IntStore.Put", "key: 'k' value: 41");
  Ask("StringStore.Put", "key: 'k' value: 'text'");
  CHECK(Ask("Keys.GetExpiry", "key: 'k'") ==
        "keys { type: VALUE_TYPE_INT } keys { type: VALUE_TYPE_STRING } revision: 2 latest_revision: 2");
  CHECK(absl::StartsWith(Ask("Keys.Expire", "key: 'k' types: VALUE_TYPE_STRING" + kInADay),
                         "changed: true types: VALUE_TYPE_STRING expires_at { seconds: "));
  const std::string told = Ask("Keys.GetExpiry", "key: 'k'");
  CHECK(absl::StartsWith(told, "keys { type: VALUE_TYPE_INT } keys { type: VALUE_TYPE_STRING expires_at { seconds: "));
  CHECK(absl::StrContains(told, "ttl { seconds: 86399"));
  CheckSameAfterRestart();
  CHECK(absl::StartsWith(Ask("Keys.Persist", "key: 'k'"), "changed: true types: VALUE_TYPE_STRING revision: 4"));
  CHECK(absl::StartsWith(Ask("Keys.Persist", "key: 'k'"), "changed: false revision: 4"));
  CHECK(Ask("Keys.GetExpiry", "key: 'k'") ==
        "keys { type: VALUE_TYPE_INT } keys { type: VALUE_TYPE_STRING } revision: 4 latest_revision: 4");
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Expiry, "what is absent has no expiry, and gets none") {
  CHECK(Ask("Keys.GetExpiry", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
  CHECK(Ask("Keys.Expire", "key: 'k'" + kInADay) == "changed: false revision: 0 latest_revision: 0");
  CHECK(Ask("Keys.Persist", "key: 'k'") == "changed: false revision: 0 latest_revision: 0");
  CHECK(Ask("Keys.Expire", "key: 'k'") == "INVALID_ARGUMENT MISSING_FIELD");
  CHECK(Ask("Keys.Expire", "key: 'k' ttl {}") == "INVALID_ARGUMENT INVALID_TTL");
  CHECK(LatestRevision() == 0);
}

TEST_CASE_METHOD(Expiry, "keys whose time came while the servers were stopped are gone at the start") {
  Ask("IntStore.Put", "key: 'k' value: 41" + kAtOnce);
  Restart();
  CHECK(Ask("IntStore.Get", "key: 'k'") == "NOT_FOUND KEY_NOT_FOUND");
  AwaitRemovals(1);
}

TEST_CASE_METHOD(Expiry, "a put after the expiry begins anew, after the removal in the order of the log") {
  Ask("IntStore.Put", "key: 'k' value: 41" + kAtOnce);
  CHECK(absl::StartsWith(Ask("IntStore.Put", "key: 'k' value: 7"), "replaced: false revision: 3"));
  CHECK(Ask("IntStore.Get", "key: 'k'") == "value: 7 revision: 3 latest_revision: 3");
  CheckSameAfterRestart();
}

}  // namespace
}  // namespace kvs
