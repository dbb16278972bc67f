#include "kvs_server/api/once.h"

#include <absl/strings/str_cat.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

#include "common/errors.h"
#include "common/limits.h"
#include "kvs_server/api/request_checks.h"

namespace kvs::server {
namespace {

// That there is another request is known for good when that one is durable.
Outcome RefuseReuse(const Requests::Found& found, const OnceRequest& once) {
  Outcome outcome = Refused(
      Error(errors::kRequestIdReused,
            absl::StrCat("nothing was changed: the request_id \"", once.id,
                         "\" is that of another request, which was answered; give each request one of its own")));
  outcome.observed_revision = found.revision;
  return outcome;
}

absl::Status AnswerTooLarge(size_t bytes) {
  return Error(errors::kReplyTooLarge,
               absl::StrCat("nothing was changed: the answer would take ", bytes, " bytes, over the limit of ",
                            kMaxAnswerBytes, " of one that is remembered for its request_id; divide the request"),
               {{"limit", absl::StrCat(kMaxAnswerBytes)}});
}

// Answers as the first time. The wait for what may still be under way is that of a change.
Outcome Recall(Engine* engine, const Requests::Found& found, const OnceRequest& once) {
  Outcome outcome;
  if (!once.response->ParseFromString(found.response)) {
    outcome.status = absl::DataLossError("the answer that is remembered for this request_id cannot be read");
    return outcome;
  }
  once.map_revisions([&found](uint64_t revision) { return Unit::Resolve(revision, found.first_revision); });
  outcome.observed_revision = found.revision;
  outcome.latest_revision = std::max(engine->journal().durable_revision(), found.revision);
  outcome.logged = true;
  return outcome;
}

}  // namespace

uint64_t CommandHash(const google::protobuf::Message& request) {
  std::string text = request.GetDescriptor()->full_name();
  text.push_back('\0');
  {
    google::protobuf::io::StringOutputStream stream(&text);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    request.SerializeToCodedStream(&out);
  }
  uint8_t digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const uint8_t*>(text.data()), text.size(), digest);
  uint64_t hash = 0;
  for (size_t i = 0; i < sizeof(hash); ++i) hash = hash << 8 | digest[i];
  return hash;
}

void MapRevisions(v1::BatchExecuteResponse* response, RevisionMap map) {
  for (v1::BatchResult& result : *response->mutable_results()) {
    switch (result.result_case()) {
#define KVS_CASE(store, verb, field, case_name)  \
  case v1::BatchResult::k##case_name:            \
    MapRevisions(result.mutable_##field(), map); \
    break;
      KVS_OPERATIONS(KVS_CASE)
#undef KVS_CASE
      case v1::BatchResult::kError:
      case v1::BatchResult::RESULT_NOT_SET:
        break;
    }
  }
}

Outcome RunOnce(Engine* engine, const OnceRequest& once, absl::Span<const size_t> hashes,
                absl::FunctionRef<Outcome(Unit&)> run) {
  if (absl::Status status = CheckRequestId(once.id); !status.ok()) return Refused(status);
  const uint64_t command_hash = CommandHash(once.request);
  MutexLock claim(&engine->ClaimOf(once.actor, once.id));
  if (const auto found = engine->store().requests().Find(once.actor, once.id)) {
    return found->command_hash == command_hash ? Recall(engine, *found, once) : RefuseReuse(*found, once);
  }
  Unit unit = hashes.size() == 1 ? engine->Begin(once.actor, hashes.front()) : engine->Begin(once.actor, hashes);
  Outcome outcome = run(unit);
  // Also where there are no keys.
  outcome.latest_revision = std::max(outcome.latest_revision, engine->journal().durable_revision());
  if (!outcome.status.ok() || !unit.has_changes()) return outcome;
  const std::string response = once.response->SerializeAsString();
  if (response.size() > kMaxAnswerBytes) return Refused(AnswerTooLarge(response.size()));
  unit.Commit(&outcome, once.id, command_hash, response);
  if (outcome.logged) once.map_revisions([&unit](uint64_t revision) { return unit.Resolve(revision); });
  return outcome;
}

}  // namespace kvs::server
