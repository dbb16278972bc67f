// grpc.health.v1, which every gRPC server of this project serves.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <string>

#include "clients/cpp/client.h"
#include "grpc/health/v1/health.pb.h"

namespace kvs::cli {

// Asks once, without retries. NotFound if the server does not know the service; kUnreachable if there is no connection.
absl::StatusOr<grpc::health::v1::HealthCheckResponse> CheckHealth(const client::Client& client,
                                                                  const std::string& service, absl::Duration timeout);

// "SERVING", "NOT_SERVING" and so on.
std::string HealthText(grpc::health::v1::HealthCheckResponse::ServingStatus status);

}  // namespace kvs::cli
