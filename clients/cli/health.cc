#include "clients/cli/health.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/grpcpp.h>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "grpc/health/v1/health.grpc.pb.h"

namespace kvs::cli {

absl::StatusOr<grpc::health::v1::HealthCheckResponse> CheckHealth(const client::Client& client,
                                                                  const std::string& service, absl::Duration timeout) {
  const auto stub = grpc::health::v1::Health::NewStub(client.channel());
  grpc::health::v1::HealthCheckRequest request;
  request.set_service(service);
  grpc::health::v1::HealthCheckResponse response;
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  const absl::Status status = rpc::FromGrpc(stub->Check(&context, request, &response));
  if (status.ok()) return response;
  if (absl::IsUnavailable(status)) return Error(errors::kUnreachable, status.message());
  if (absl::IsNotFound(status)) return absl::NotFoundError(absl::StrCat("the server has no service ", service));
  return status;
}

std::string HealthText(grpc::health::v1::HealthCheckResponse::ServingStatus status) {
  return grpc::health::v1::HealthCheckResponse::ServingStatus_Name(status);
}

}  // namespace kvs::cli
