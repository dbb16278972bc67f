#include "common/rpc/status.h"

#include <algorithm>
#include <string>

#include "common/errors.h"
#include "google/rpc/status.pb.h"
#include "tests/support/catch.h"

namespace kvs::rpc {
namespace {

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  CHECK(details.ParseFromString(status.error_details()));
  return details;
}

TEST_CASE("OK is OK in both directions") {
  CHECK(ToGrpc(absl::OkStatus()).ok());
  CHECK(FromGrpc(grpc::Status::OK).ok());
}

TEST_CASE("an error keeps code, message, reason and metadata") {
  const absl::Status error = Error(errors::kOverflow, "too large", {{"limit", "9"}});
  const grpc::Status sent = ToGrpc(error);
  CHECK(sent.error_code() == grpc::StatusCode::OUT_OF_RANGE);
  CHECK(sent.error_message() == "too large");
  CHECK(DetailsOf(sent).code() == grpc::StatusCode::OUT_OF_RANGE);
  CHECK(DetailsOf(sent).message() == "too large");
  CHECK(FromGrpc(sent) == error);
  CHECK(MetadataOf(FromGrpc(sent), "limit") == "9");
}

TEST_CASE("an error without payloads has no details") {
  CHECK(ToGrpc(absl::InternalError("elsewhere")).error_details().empty());
}

TEST_CASE("further payloads travel behind the ErrorInfo, whatever they are called") {
  for (const std::string other : {"aaa/first.Message", "zzz/last.Message"}) {
    absl::Status error = Error(errors::kKeyExists, "there is one");
    error.SetPayload(other, absl::Cord("bytes"));
    const auto details = DetailsOf(ToGrpc(error));
    REQUIRE(details.details_size() == 2);
    CHECK(details.details(0).type_url() == std::string(kErrorInfoTypeUrl));
    CHECK(details.details(1).type_url() == other);
    CHECK(FromGrpc(ToGrpc(error)) == error);
  }
}

TEST_CASE("an error survives as a message, too") {
  absl::Status error = Error(errors::kKeyExists, "there is one", {{"limit", "9"}});
  error.SetPayload("zzz/last.Message", absl::Cord("bytes"));
  CHECK(FromProto(ToProto(error)) == error);
  CHECK(ToProto(error).details(0).type_url() == std::string(kErrorInfoTypeUrl));
  CHECK(FromProto(ToProto(absl::InternalError("elsewhere"))) == absl::InternalError("elsewhere"));
}

}  // namespace
}  // namespace kvs::rpc
