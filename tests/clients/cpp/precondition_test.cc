#include "clients/cpp/precondition.h"

#include <functional>
#include <string>
#include <vector>

#include "clients/cpp/client.h"
#include "common/errors.h"
#include "tests/clients/support/pair_client.h"
#include "tests/support/catch.h"

namespace kvs::client {
namespace {

TEST_CASE("a precondition is what a request carries") {
  CHECK(Precondition::Absent().proto().ShortDebugString() == "must_not_exist: true");
  CHECK(Precondition::Present().proto().ShortDebugString() == "must_exist: true");
  CHECK(Precondition::Revision(7).proto().ShortDebugString() == "revision_equals: 7");
  CHECK(Precondition::Revision(0).proto().ShortDebugString() == "revision_equals: 0");
}

TEST_CASE("only a precondition that failed tells what is there") {
  CHECK_FALSE(PreconditionFailureOf(absl::OkStatus()).has_value());
  CHECK_FALSE(PreconditionFailureOf(absl::AbortedError("elsewhere")).has_value());
  CHECK_FALSE(PreconditionFailureOf(Error(errors::kKeyNotFound, "no key")).has_value());
  absl::Status broken = Error(errors::kKeyExists, "there is one");
  broken.SetPayload(kPreconditionFailureTypeUrl, absl::Cord("\xFF"));
  CHECK_FALSE(PreconditionFailureOf(broken).has_value());
}

TEST_CASE("every mutation takes a precondition") {
  Pair pair;
  pair.Start();
  const Client c = ClientOf(pair);
  const MutationOptions never = {.precondition = Precondition::Revision(99)};
  const std::vector<std::string> texts = {"a"};
  const Fields fields = {{"name", "value"}};
  const std::vector<std::function<absl::Status()>> mutations = {
      [&] { return c.ints().Put("k", 1, never).status(); },
      [&] { return c.ints().Delete("k", never).status(); },
      [&] { return c.ints().Increment("k", 1, never).status(); },
      [&] { return c.uints().Put("k", 1, never).status(); },
      [&] { return c.uints().Delete("k", never).status(); },
      [&] { return c.uints().Increment("k", 1, never).status(); },
      [&] { return c.uints().Decrement("k", 1, never).status(); },
      [&] { return c.floats().Put("k", 1, never).status(); },
      [&] { return c.floats().Delete("k", never).status(); },
      [&] { return c.floats().Increment("k", 1, never).status(); },
      [&] { return c.strings().Put("k", "text", never).status(); },
      [&] { return c.strings().Delete("k", never).status(); },
      [&] { return c.strings().Append("k", "text", never).status(); },
      [&] { return c.sets().Put("k", texts, never).status(); },
      [&] { return c.sets().Delete("k", never).status(); },
      [&] { return c.sets().Add("k", texts, never).status(); },
      [&] { return c.sets().Remove("k", texts, never).status(); },
      [&] { return c.maps().Put("k", fields, never).status(); },
      [&] { return c.maps().Delete("k", never).status(); },
      [&] { return c.maps().PutFields("k", fields, never).status(); },
      [&] { return c.maps().RemoveFields("k", texts, never).status(); },
      [&] { return c.keys().Delete("k", {v1::VALUE_TYPE_INT}, never).status(); },
  };
  for (size_t i = 0; i < mutations.size(); ++i) {
    const absl::Status status = mutations[i]();
    INFO(i << ": " << status);
    CHECK(Is(status, errors::kRevisionMismatch));
    CHECK_FALSE(MayHaveHappened(status));
    const auto failure = PreconditionFailureOf(status);
    REQUIRE(failure.has_value());
    CHECK(failure->current_revision() == 0);
  }
  CHECK(c.maintenance().Status()->ledger().latest_revision() == 0);
}

TEST_CASE("a failure has all that the next attempt needs") {
  Pair pair;
  pair.Start();
  const IntStore ints = ClientOf(pair).ints();
  CHECK(ints.Put("k", 1, {.precondition = Precondition::Absent()}).ok());
  const auto second = ints.Put("k", 2, {.precondition = Precondition::Absent()});
  CHECK(Is(second.status(), errors::kKeyExists));
  const auto failure = PreconditionFailureOf(second.status());
  REQUIRE(failure.has_value());
  CHECK(failure->current_value().int_value() == 1);
  const auto third = ints.Put("k", failure->current_value().int_value() + 1,
                              {.precondition = Precondition::Revision(failure->current_revision())});
  REQUIRE(third.ok());
  CHECK(ints.Delete("k", {.precondition = Precondition::Present()})->deleted());
}

TEST_CASE("a mutation takes the options of any call") {
  Pair pair;
  pair.Start();
  const CallOptions options = {.timeout = absl::Seconds(20)};
  CHECK(ClientOf(pair).ints().Put("k", 1, options).ok());
  CHECK(ClientOf(pair).ints().Put("k", 1, {.timeout = absl::Seconds(20)}).ok());
}

}  // namespace
}  // namespace kvs::client
