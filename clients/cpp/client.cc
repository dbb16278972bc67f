#include "clients/cpp/client.h"

#include <utility>

#include "clients/cpp/connection.h"

namespace kvs::client {

absl::StatusOr<Client> Client::Connect(const Options& options) {
  auto connection = Connection::Make(options);
  if (!connection.ok()) return connection.status();
  return Client(*std::move(connection));
}

Client::Client(std::shared_ptr<const Connection> connection)
    : connection_(std::move(connection)),
      ints_(connection_),
      uints_(connection_),
      floats_(connection_),
      strings_(connection_),
      sets_(connection_),
      maps_(connection_),
      keys_(connection_),
      batch_(connection_),
      maintenance_(connection_) {}

std::shared_ptr<grpc::Channel> Client::channel() const { return connection_->channel(); }

}  // namespace kvs::client
