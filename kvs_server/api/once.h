// Once: what makes a request with an id take effect once, however often it is sent.
//
// The first time, what it does and its answer are one record: they survive together or not at all. A request with the
// same actor and id is answered with that answer, when it is durable; one that asks for something else is refused. What
// changed nothing, or failed, is not remembered: it is simply done again.
#pragma once

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/types/span.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <string>
#include <vector>

#include "kvs/v1/batch.pb.h"
#include "kvs_server/api/operations.h"
#include "kvs_server/engine/engine.h"

namespace kvs::server {

// The hash that tells a command from another one; see txn.v1.Answer.
uint64_t CommandHash(const google::protobuf::Message& request);

// Sets the revision of a response that has one.
template <class Response>
void SetRevision(Response* response, uint64_t revision) {
  if constexpr (requires { response->set_revision(0); }) response->set_revision(revision);
}

// Replaces every revision of a response by map(revision).
using RevisionMap = absl::FunctionRef<uint64_t(uint64_t)>;
template <class Response>
void MapRevisions(Response* response, RevisionMap map) {
  if constexpr (requires { response->revision(); }) response->set_revision(map(response->revision()));
  if constexpr (requires { response->mutable_revisions(); }) {
    for (uint64_t& revision : *response->mutable_revisions()) revision = map(revision);
  }
}
void MapRevisions(v1::BatchExecuteResponse* response, RevisionMap map);

// Adds the hash of the key that a request names, or those of its keys.
template <class Request>
void AddHashesOf(const Request& request, std::vector<size_t>* hashes) {
  if constexpr (requires { request.keys(); }) {
    for (const absl::string_view key : request.keys()) hashes->push_back(HashKey(key));
  } else {
    hashes->push_back(HashKey(request.key()));
  }
}
// Those hashes alone.
template <class Request>
std::vector<size_t> HashesOf(const Request& request) {
  std::vector<size_t> hashes;
  if constexpr (requires { request.keys_size(); }) hashes.reserve(request.keys_size());
  AddHashesOf(request, &hashes);
  return hashes;
}

// A request with an id, and where its answer goes.
struct OnceRequest {
  absl::string_view actor;
  absl::string_view id;
  const google::protobuf::Message& request;
  google::protobuf::Message* response;
  // MapRevisions of the response.
  absl::FunctionRef<void(RevisionMap)> map_revisions;
};

// Calls run(Unit&), which fills in the response, revisions included, unless the request was answered before. All of it
// is one unit of the keys of these hashes. The response is then complete but for `latest_revision`.
Outcome RunOnce(Engine* engine, const OnceRequest& once, absl::Span<const size_t> hashes,
                absl::FunctionRef<Outcome(Unit&)> run);

// Does what one request asks for, once if it has an id. The response is complete but for `latest_revision`, which is in
// the outcome; it is undefined if that has an error.
template <class Request, class Response>
Outcome Perform(Engine* engine, absl::string_view actor, const StoreOptions& options, const Request& request,
                Response* response) {
  if constexpr (requires { request.request_id(); }) {
    if (!request.request_id().empty()) {
      const auto map_revisions = [response](RevisionMap map) { MapRevisions(response, map); };
      const OnceRequest once{actor, request.request_id(), request, response, map_revisions};
      return RunOnce(engine, once, HashesOf(request), [&](Unit& unit) {
        const Outcome outcome = Do(Session(&unit, options, /*is_atomic=*/false), request, response);
        SetRevision(response, outcome.revision);
        return outcome;
      });
    }
  }
  const Outcome outcome = Do(Session(engine, actor, options), request, response);
  SetRevision(response, outcome.revision);
  return outcome;
}

}  // namespace kvs::server
