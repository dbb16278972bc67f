// ApiClient: the public API through its generated stubs, with requests and replies in protobuf's text form, so that a
// test shows every field that is set and none that is not:
//
//   Ask("IntStore.Put", "key: 'visits' value: 41") == "replaced: false revision: 1 latest_revision: 1"
#pragma once

#include <absl/status/status.h>
#include <google/protobuf/message.h>
#include <grpcpp/channel.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "kvs/v1/keys.pb.h"

namespace kvs {

class ApiClient {
 public:
  explicit ApiClient(std::shared_ptr<grpc::Channel> channel) : channel_(std::move(channel)) {}

  // The reply on one line, or an error as its code and reason, such as "NOT_FOUND KEY_NOT_FOUND". From any thread.
  std::string Ask(const std::string& method, const std::string& request) const;

  // The same; a reply goes to `reply`, an error keeps its message and metadata.
  absl::Status Try(const std::string& method, const std::string& request, std::string* reply) const;
  // The error of a call that must fail, or OK.
  absl::Status ErrorOf(const std::string& method, const std::string& request) const;

  // Ask on a thread of its own.
  std::future<std::string> Start(const std::string& method, const std::string& request) const;

  // Every key of Keys.List as "VALUE_TYPE_INT visits 3", the revision last; an error as Ask writes it. `messages`
  // counts the messages of the stream.
  std::vector<std::string> List(const std::string& request = "", int* messages = nullptr) const;

  // All that the API tells about the state: each key's type, name, revision and whole value, in the order of the list.
  std::vector<std::string> Dump() const;

 private:
  std::string ReadCollection(const std::string& method, const std::string& key) const;
  // " until …" for a key that expires.
  std::string ExpiryOf(const v1::KeyEntry& entry) const;

  std::shared_ptr<grpc::Channel> channel_;
};

// Every method of kvs.v1 but the streams, as "IntStore.Put".
std::vector<std::string> ApiMethods();

// Whether a call that was started is answered by now.
bool IsAnswered(const std::future<std::string>& call);

// A message as Ask writes it.
std::string TextOf(const google::protobuf::Message& message);

// Code and reason of an error, as Ask writes it.
std::string CodeAndReason(const absl::Status& status);

}  // namespace kvs
