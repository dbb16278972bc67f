// Preconditions: every mutation of every type, with each of them, where it holds and where it does not.

#include <absl/strings/str_replace.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "common/errors.h"
#include "kvs/v1/common.pb.h"
#include "kvs/v1/int_store.grpc.pb.h"
#include "tests/integration/support/api_pair.h"
#include "tests/integration/support/sample_requests.h"

namespace kvs {
namespace {

using Failure = v1::PreconditionFailure;

Failure FailureOf(const absl::Status& status) {
  Failure failure;
  const auto payload = status.GetPayload(kPreconditionFailureTypeUrl);
  if (payload) CHECK(failure.ParseFromString(std::string(*payload)));
  return failure;
}

std::string Text(const Failure& failure) { return failure.ShortDebugString(); }

// One mutation, and how to make its key present.
struct Mutation {
  std::string method;
  std::string request;
  std::string put;
  std::string put_request;
  std::string value;  // what `put` stores, as failures show it
};

std::vector<Mutation> Mutations() {
  const char* const values[] = {"int_value: 41",
                                "uint_value: 41",
                                "float_value: 0.5",
                                "string_value: \"text\"",
                                "set_value { members: \"member\" }",
                                "map_value { fields { key: \"name\" value: \"value\" } }"};
  std::vector<Mutation> mutations;
  for (const SampleRequest& sample : SampleRequests()) {
    if (!sample.is_mutation) continue;
    const std::string service = sample.method.substr(0, sample.method.find('.'));
    for (size_t i = 0; i < SampleValues().size(); ++i) {
      const SampleRequest& put = SampleValues()[i];
      const bool belongs = service == "Keys" ? i == 0 : put.method == service + ".Put";
      if (!belongs) continue;
      const std::string types = service == "Keys" ? "types: VALUE_TYPE_INT " : "";
      const std::string ttl = sample.method == "Keys.Persist" ? " ttl { seconds: 100000 }" : "";
      mutations.push_back({sample.method, sample.WithKey("k") + types, put.method, put.WithKey("k") + ttl, values[i]});
    }
  }
  return mutations;
}

class Preconditions : public ApiPair {
 protected:
  // Makes the key of a mutation present, with a new revision, which is returned; or absent.
  uint64_t MakePresent(const Mutation& mutation) {
    Ask(mutation.put, mutation.put_request);
    return LatestRevision();
  }
  void MakeAbsent() { Ask("Keys.Delete", "key: 'k'"); }

  std::string AskIf(const Mutation& mutation, const std::string& condition) {
    return Ask(mutation.method, mutation.request + " precondition { " + condition + " }");
  }

  void CheckFails(const Mutation& mutation, const std::string& condition, ErrorKind kind, const std::string& failure) {
    INFO(mutation.method << " if " << condition);
    const std::vector<std::string> before = client().Dump();
    const uint64_t revision = LatestRevision();
    const absl::Status status = ErrorOf(mutation.method, mutation.request + " precondition { " + condition + " }");
    CHECK(Is(status, kind));
    CHECK(Text(FailureOf(status)) == failure);
    CHECK(MetadataOf(status, "current_revision") == std::to_string(FailureOf(status).current_revision()));
    CHECK(client().Dump() == before);
    CHECK(LatestRevision() == revision);
  }
};

TEST_CASE_METHOD(Preconditions, "every mutation fails at every precondition that does not hold, and changes nothing") {
  const std::string absent = "current_revision: 0";
  CHECK(Mutations().size() == 23);
  for (const Mutation& mutation : Mutations()) {
    const uint64_t revision = MakePresent(mutation);
    const std::string present =
        "current_revision: " + std::to_string(revision) + " current_value { " + mutation.value + " }";
    CheckFails(mutation, "must_not_exist: true", errors::kKeyExists, present);
    CheckFails(mutation, "revision_equals: 0", errors::kRevisionMismatch, present);
    for (const uint64_t other : {revision - 1, revision + 1}) {
      CheckFails(mutation, "revision_equals: " + std::to_string(other), errors::kRevisionMismatch, present);
    }
    MakeAbsent();
    CheckFails(mutation, "must_exist: true", errors::kKeyNotFound, absent);
    CheckFails(mutation, "revision_equals: " + std::to_string(revision), errors::kRevisionMismatch, absent);
  }
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(Preconditions, "every mutation is made where its precondition holds, as if there were none") {
  for (const Mutation& mutation : Mutations()) {
    // Without what is at its end: the revisions, and a time.
    const auto reply_of = [&](bool is_present, const std::string& condition) {
      MakeAbsent();
      const std::string revision = is_present ? std::to_string(MakePresent(mutation)) : "0";
      const std::string reply = condition.empty()
                                    ? Ask(mutation.method, mutation.request)
                                    : AskIf(mutation, absl::StrReplaceAll(condition, {{"CURRENT", revision}}));
      return reply.substr(0, std::min(reply.find("revision: "), reply.find("expires_at ")));
    };
    INFO(mutation.method);
    const std::string on_absent = reply_of(false, "");
    CHECK(reply_of(false, "must_not_exist: true") == on_absent);
    CHECK(reply_of(false, "revision_equals: CURRENT") == on_absent);
    const std::string on_present = reply_of(true, "");
    CHECK(on_absent != on_present);
    CHECK(reply_of(true, "revision_equals: CURRENT") == on_present);
    CHECK(reply_of(true, "must_exist: true") == on_present);
  }
}

TEST_CASE_METHOD(Preconditions, "a mutation that takes a revision takes exactly one where its precondition holds") {
  CHECK(Ask("IntStore.Put", "key: 'k' value: 1 precondition { must_not_exist: true }") ==
        "replaced: false revision: 1 latest_revision: 1");
  CHECK(Ask("IntStore.Increment", "key: 'k' precondition { revision_equals: 1 }") ==
        "previous: 1 value: 2 revision: 2 latest_revision: 2");
  CHECK(Ask("IntStore.Delete", "key: 'k' precondition { must_exist: true }") ==
        "deleted: true revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(Preconditions, "a precondition is about its own type") {
  Ask("StringStore.Put", "key: 'k' value: 'text'");
  CHECK(Ask("IntStore.Put", "key: 'k' value: 1 precondition { must_exist: true }") == "NOT_FOUND KEY_NOT_FOUND");
  CHECK(Ask("IntStore.Put", "key: 'k' value: 1 precondition { must_not_exist: true }") ==
        "replaced: false revision: 2 latest_revision: 2");
}

TEST_CASE_METHOD(Preconditions, "a mutation that would change nothing has to fulfil its precondition too") {
  Ask("IntStore.Put", "key: 'k' value: 1");
  CHECK(Ask("IntStore.Increment", "key: 'k' delta: 0 precondition { revision_equals: 9 }") ==
        "ABORTED REVISION_MISMATCH");
  CHECK(Ask("IntStore.Increment", "key: 'k' delta: 0 precondition { revision_equals: 1 }") ==
        "previous: 1 value: 1 revision: 1 latest_revision: 1");
}

TEST_CASE_METHOD(Preconditions, "a precondition is checked before the verb, and after the request") {
  Ask("IntStore.Put", "key: 'k' value: 9223372036854775807");
  CHECK(Ask("IntStore.Increment", "key: 'k' precondition { revision_equals: 9 }") == "ABORTED REVISION_MISMATCH");
  CHECK(Ask("IntStore.Increment", "key: 'k' precondition { revision_equals: 1 }") == "OUT_OF_RANGE OVERFLOW");
  CHECK(Ask("IntStore.Put", "key: 'k' precondition { revision_equals: 9 }") == "INVALID_ARGUMENT MISSING_FIELD");
}

TEST_CASE_METHOD(Preconditions, "a precondition that asks for nothing is refused by every mutation") {
  for (const Mutation& mutation : Mutations()) {
    MakePresent(mutation);
    const uint64_t revision = LatestRevision();
    for (const std::string condition : {"", "must_exist: false", "must_not_exist: false"}) {
      INFO(mutation.method << " if " << condition);
      CHECK(AskIf(mutation, condition) == "INVALID_ARGUMENT INVALID_PRECONDITION");
    }
    CHECK(LatestRevision() == revision);
  }
}

TEST_CASE_METHOD(Preconditions, "Keys.Delete from several types needs the key in one of them, or in none") {
  const std::string several = "key: 'k' types: VALUE_TYPE_INT types: VALUE_TYPE_STRING ";
  CHECK(Ask("Keys.Delete", several + "precondition { revision_equals: 1 }") == "INVALID_ARGUMENT INVALID_PRECONDITION");
  CHECK(Ask("Keys.Delete", "key: 'k' precondition { revision_equals: 1 }") == "INVALID_ARGUMENT INVALID_PRECONDITION");

  absl::Status status = ErrorOf("Keys.Delete", several + "precondition { must_exist: true }");
  CHECK(Is(status, errors::kKeyNotFound));
  CHECK(Text(FailureOf(status)) == "current_revision: 0");
  CHECK(Ask("Keys.Delete", several + "precondition { must_not_exist: true }") ==
        "deleted: false revision: 0 latest_revision: 0");

  Ask("StringStore.Put", "key: 'k' value: 'text'");
  Ask("SetStore.Put", "key: 'k' members: 'other'");
  status = ErrorOf("Keys.Delete", several + "precondition { must_not_exist: true }");
  CHECK(Is(status, errors::kKeyExists));
  CHECK(Text(FailureOf(status)) == "current_revision: 1");
  CHECK(Text(FailureOf(ErrorOf("Keys.Delete", "key: 'k' precondition { must_not_exist: true }"))) ==
        "current_revision: 2");
  CHECK(LatestRevision() == 2);
  CHECK(Ask("Keys.Delete", several + "precondition { must_exist: true }") ==
        "deleted: true types: VALUE_TYPE_STRING revision: 3 latest_revision: 3");
}

TEST_CASE_METHOD(Preconditions, "the largest detail reaches a client, and a larger value is left out") {
  std::string key;
  while (key.size() < kMaxKeyBytes) key += "ä";
  std::string value;
  while (value.size() + 6 <= kMaxDetailValueBytes) value += "€";
  Ask("StringStore.Put", "key: '" + key + "' value: '" + value + "'");
  const std::string again = "key: '" + key + "' value: 'x' precondition { must_not_exist: true }";
  CHECK(FailureOf(ErrorOf("StringStore.Put", again)).current_value().string_value() == value);
  Ask("StringStore.Put", "key: '" + key + "' value: '" + value + "€'");
  CHECK(Text(FailureOf(ErrorOf("StringStore.Put", again))) == "current_revision: 2 value_omitted: true");
}

TEST_CASE_METHOD(Preconditions, "a revision is the same one after a restart") {
  Ask("IntStore.Put", "key: 'k' value: 1");
  Ask("IntStore.Put", "key: 'gone' value: 1");
  Ask("IntStore.Delete", "key: 'gone'");
  Restart();
  CHECK(Ask("IntStore.Put", "key: 'gone' value: 2 precondition { revision_equals: 2 }") == "ABORTED REVISION_MISMATCH");
  CHECK(Ask("IntStore.Put", "key: 'gone' value: 2 precondition { revision_equals: 0 }") ==
        "replaced: false revision: 4 latest_revision: 4");
  CHECK(Ask("IntStore.Put", "key: 'k' value: 2 precondition { revision_equals: 1 }") ==
        "replaced: true revision: 5 latest_revision: 5");
}

// Adds 1 this many times with Get and Put alone. What a failure tells is where the next attempt begins.
void CountByCompareAndSet(const std::shared_ptr<grpc::Channel>& channel, int times) {
  v1::IntStore::Stub stub(channel);
  int64_t value = 0;
  uint64_t revision = 0;
  for (int done = 0; done < times;) {
    v1::IntStorePutRequest put;
    put.set_key("counter");
    put.set_value(value + 1);
    put.mutable_precondition()->set_revision_equals(revision);
    v1::IntStorePutResponse reply;
    const absl::Status status = Call(stub, &v1::IntStore::Stub::Put, put, &reply);
    if (status.ok()) {
      value = put.value();
      revision = reply.revision();
      ++done;
    } else {
      if (!Is(status, errors::kRevisionMismatch)) return;
      const Failure failure = FailureOf(status);
      value = failure.current_value().int_value();
      revision = failure.current_revision();
    }
  }
}

TEST_CASE_METHOD(Preconditions, "two compare-and-set loops over one counter lose no update") {
  constexpr int kTimes = 500;
  std::thread first([&] { CountByCompareAndSet(pair_.channel(), kTimes); });
  CountByCompareAndSet(pair_.channel(), kTimes);
  first.join();
  CHECK(Ask("IntStore.Get", "key: 'counter'") == "value: 1000 revision: 1000 latest_revision: 1000");
  CheckSameAfterRestart();
}

}  // namespace
}  // namespace kvs
