// A call of any method with messages as bytes, whatever its kind of streaming is.
#pragma once

#include <absl/strings/string_view.h>
#include <grpcpp/channel.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>
#include <vector>

namespace kvs::fuzz {

// Sends the messages, closes its side, and reads all answers. Ends the process where that takes a minute.
struct StreamResult {
  std::vector<std::string> answers;
  grpc::Status status;
};
StreamResult CallStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                        const std::vector<std::string>& messages);

}  // namespace kvs::fuzz
