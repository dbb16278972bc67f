#include "common/rpc/reflection.h"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <set>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

namespace kvs::rpc {
namespace {

namespace v1 = grpc::reflection::v1;
namespace v1alpha = grpc::reflection::v1alpha;

using google::protobuf::FileDescriptorProto;

// One stream of a client of version v1 or v1alpha.
template <class Stub, class Request, class Response>
class ReflectionStream {
 public:
  explicit ReflectionStream(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(channel), stream_(stub_.ServerReflectionInfo(&context_)) {}

  Response Ask(const Request& request) {
    REQUIRE(stream_->Write(request));
    return Read();
  }

  Response Read() {
    Response response;
    REQUIRE(stream_->Read(&response));
    return response;
  }

  Response AskFile(const std::string& name) {
    Request request;
    request.set_file_by_filename(name);
    return Ask(request);
  }

  Response AskSymbol(const std::string& name) {
    Request request;
    request.set_file_containing_symbol(name);
    return Ask(request);
  }

  std::vector<std::string> ListServices() {
    Request request;
    request.set_list_services("");
    const Response response = Ask(request);
    std::vector<std::string> names;
    for (const auto& service : response.list_services_response().service()) names.push_back(service.name());
    return names;
  }

  bool Write(const Request& request) { return stream_->Write(request); }
  void WritesDone() { stream_->WritesDone(); }
  void Cancel() { context_.TryCancel(); }
  absl::Status Finish() { return FromGrpc(stream_->Finish()); }

 private:
  TestContext context_;
  Stub stub_;
  std::unique_ptr<grpc::ClientReaderWriter<Request, Response>> stream_;
};

using V1Stream =
    ReflectionStream<v1::ServerReflection::Stub, v1::ServerReflectionRequest, v1::ServerReflectionResponse>;
using V1AlphaStream = ReflectionStream<v1alpha::ServerReflection::Stub, v1alpha::ServerReflectionRequest,
                                       v1alpha::ServerReflectionResponse>;

template <class Response>
std::vector<FileDescriptorProto> Files(const Response& response) {
  std::vector<FileDescriptorProto> files;
  for (const auto& bytes : response.file_descriptor_response().file_descriptor_proto()) {
    REQUIRE(files.emplace_back().ParseFromString(bytes));
  }
  return files;
}

template <class Response>
std::vector<std::string> FileNames(const Response& response) {
  std::vector<std::string> names;
  for (const FileDescriptorProto& file : Files(response)) names.push_back(file.name());
  return names;
}

struct ReflectionServer {
  ReflectionService reflection{{"kvs.v1.IntStore", "kvs.v1.Keys"}};
  TestServer server{{reflection.services()[0], reflection.services()[1]}};
};

TEMPLATE_TEST_CASE("reflection lists what is served", "", V1Stream, V1AlphaStream) {
  ReflectionServer server;
  TestType stream(server.server.Connect());
  CHECK(stream.ListServices() ==
        std::vector<std::string>{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                                 "grpc.reflection.v1alpha.ServerReflection", "kvs.v1.IntStore", "kvs.v1.Keys"});
  stream.WritesDone();
  CHECK(stream.Finish().ok());
}

TEMPLATE_TEST_CASE("a file is answered with its imports, each once on a stream", "", V1Stream, V1AlphaStream) {
  ReflectionServer server;
  TestType stream(server.server.Connect());
  const auto first = FileNames(stream.AskFile("kvs/v1/int_store.proto"));
  REQUIRE(!first.empty());
  CHECK(first[0] == "kvs/v1/int_store.proto");
  CHECK(std::count(first.begin(), first.end(), "kvs/v1/common.proto") == 1);
  CHECK(std::set<std::string>(first.begin(), first.end()).size() == first.size());
  CHECK(FileNames(stream.AskFile("kvs/v1/uint_store.proto")) == std::vector<std::string>{"kvs/v1/uint_store.proto"});
  // What is asked for is sent even if it was sent before.
  CHECK(FileNames(stream.AskFile("kvs/v1/common.proto")) == std::vector<std::string>{"kvs/v1/common.proto"});
}

TEST_CASE("every file that reflection sends can be built from the files that it sends") {
  ReflectionServer server;
  V1Stream stream(server.server.Connect());
  google::protobuf::DescriptorPool pool;
  std::vector<FileDescriptorProto> files;
  for (const char* name : {"kvs.v1.IntStore", "kvs.v1.UintStore", "kvs.v1.FloatStore", "kvs.v1.StringStore",
                           "kvs.v1.SetStore", "kvs.v1.MapStore", "kvs.v1.Keys", "kvs.v1.Maintenance",
                           "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
                           "grpc.reflection.v1alpha.ServerReflection", "google.rpc.ErrorInfo", "google.rpc.Status"}) {
    INFO(name);
    // Importing files come first, so they are built in the opposite order.
    auto received = Files(stream.AskSymbol(name));
    REQUIRE(!received.empty());
    files.insert(files.begin(), received.begin(), received.end());
  }
  for (size_t built = 1; built > 0;) {
    built = 0;
    for (const FileDescriptorProto& file : files) {
      const bool ready = std::all_of(file.dependency().begin(), file.dependency().end(),
                                     [&](const std::string& name) { return pool.FindFileByName(name) != nullptr; });
      if (!ready || pool.FindFileByName(file.name()) != nullptr) continue;
      REQUIRE(pool.BuildFile(file) != nullptr);
      ++built;
    }
  }
  for (const FileDescriptorProto& file : files) CHECK(pool.FindFileByName(file.name()) != nullptr);
  CHECK(pool.FindServiceByName("kvs.v1.IntStore") != nullptr);
}

TEMPLATE_TEST_CASE("a file is found by every kind of symbol in it", "", V1Stream, V1AlphaStream) {
  ReflectionServer server;
  for (const char* symbol :
       {"kvs.v1.IntStore", "kvs.v1.IntStore.Put", "kvs.v1.IntStorePutRequest", "kvs.v1.IntStorePutRequest.key"}) {
    INFO(symbol);
    TestType stream(server.server.Connect());
    const auto names = FileNames(stream.AskSymbol(symbol));
    REQUIRE(!names.empty());
    CHECK(names[0] == "kvs/v1/int_store.proto");
  }
  TestType stream(server.server.Connect());
  CHECK(FileNames(stream.AskSymbol("kvs.v1.ServerState"))[0] == "kvs/v1/maintenance.proto");
  CHECK(FileNames(stream.AskSymbol("google.rpc.ErrorInfo"))[0] == "google/rpc/error_details.proto");
  CHECK(FileNames(stream.AskSymbol("google.rpc.Status"))[0] == "google/rpc/status.proto");
}

TEST_CASE("files are sent with their comments") {
  ReflectionServer server;
  V1Stream stream(server.server.Connect());
  const auto files = Files(stream.AskSymbol("kvs.v1.IntStore"));
  REQUIRE(!files.empty());
  size_t comments = 0;
  for (const auto& location : files[0].source_code_info().location()) {
    comments += !location.leading_comments().empty();
  }
  CHECK(comments >= 10);
}

TEMPLATE_TEST_CASE("what does not exist is an error in the response", "", V1Stream, V1AlphaStream) {
  ReflectionServer server;
  TestType stream(server.server.Connect());
  decltype(stream.Read()) response = stream.AskFile("kvs/v1/none.proto");
  CHECK(response.error_response().error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK(response.original_request().file_by_filename() == "kvs/v1/none.proto");
  CHECK(stream.AskSymbol("kvs.v1.None").error_response().error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK(stream.AskSymbol("").error_response().error_code() == grpc::StatusCode::NOT_FOUND);

  typename std::remove_const_t<std::remove_reference_t<decltype(response.original_request())>> request;
  request.set_host("db.example");
  request.mutable_file_containing_extension()->set_containing_type("google.protobuf.FieldOptions");
  request.mutable_file_containing_extension()->set_extension_number(50000);
  response = stream.Ask(request);
  CHECK(response.error_response().error_code() == grpc::StatusCode::NOT_FOUND);
  CHECK(response.valid_host() == "db.example");
  request.mutable_file_containing_extension()->set_containing_type("kvs.v1.None");
  CHECK(stream.Ask(request).error_response().error_code() == grpc::StatusCode::NOT_FOUND);
  request.set_all_extension_numbers_of_type("kvs.v1.None");
  CHECK(stream.Ask(request).error_response().error_code() == grpc::StatusCode::NOT_FOUND);
  request.Clear();
  CHECK(stream.Ask(request).error_response().error_code() == grpc::StatusCode::INVALID_ARGUMENT);
  // The stream goes on.
  CHECK(!stream.ListServices().empty());
}

TEST_CASE("a type without extensions has no extension numbers") {
  ReflectionServer server;
  V1Stream stream(server.server.Connect());
  v1::ServerReflectionRequest request;
  request.set_all_extension_numbers_of_type("kvs.v1.IntStorePutRequest");
  const auto response = stream.Ask(request);
  REQUIRE(response.has_all_extension_numbers_response());
  CHECK(response.all_extension_numbers_response().base_type_name() == "kvs.v1.IntStorePutRequest");
  CHECK(response.all_extension_numbers_response().extension_number_size() == 0);
}

TEST_CASE("many requests sent at once are all answered in order") {
  ReflectionServer server;
  V1Stream stream(server.server.Connect());
  constexpr int kRequests = 200;
  std::thread writer([&] {
    for (int i = 0; i < kRequests; ++i) {
      v1::ServerReflectionRequest request;
      request.set_host(std::to_string(i));
      request.set_file_by_filename("kvs/v1/map_store.proto");
      stream.Write(request);
    }
    stream.WritesDone();
  });
  for (int i = 0; i < kRequests; ++i) {
    const auto response = stream.Read();
    CHECK(response.valid_host() == std::to_string(i));
    CHECK(FileNames(response)[0] == "kvs/v1/map_store.proto");
  }
  writer.join();
  CHECK(stream.Finish().ok());
}

TEST_CASE("a drain ends the streams of reflection") {
  ReflectionServer server;
  V1Stream stream(server.server.Connect());
  CHECK(!stream.ListServices().empty());
  server.server->Drain(absl::Seconds(20));
  CHECK(Is(stream.Finish(), errors::kDraining));
}

}  // namespace
}  // namespace kvs::rpc
