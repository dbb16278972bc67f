#include "common/rpc/message.h"

#include <google/protobuf/stubs/logging.h>

#include "google/rpc/error_details.pb.h"
#include "kvs/v1/maintenance.pb.h"
#include "tests/support/catch.h"
#include "tests/support/stderr_capture.h"

namespace kvs::rpc {
namespace {

using ::kvs::v1::MaintenanceEchoRequest;

grpc::ByteBuffer Bytes(const std::vector<std::string>& parts) {
  std::vector<grpc::Slice> slices(parts.begin(), parts.end());
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string Text(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  REQUIRE(bytes.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices) text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return text;
}

TEST_CASE("a message survives serializing and parsing") {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{127}, size_t{128}, size_t{4} << 20}) {
    MaintenanceEchoRequest request;
    request.set_message(std::string(size, 'x'));
    const grpc::ByteBuffer bytes = Serialize(request);
    CHECK(Text(bytes) == request.SerializeAsString());
    MaintenanceEchoRequest parsed;
    CHECK(Parse(bytes, &parsed));
    CHECK(parsed.message() == request.message());
  }
}

TEST_CASE("a message without fields has no bytes, in one slice or in none") {
  MaintenanceEchoRequest parsed;
  CHECK(Serialize(parsed).Length() == 0);
  CHECK(Parse(Serialize(parsed), &parsed));
  CHECK(Parse(grpc::ByteBuffer(nullptr, 0), &parsed));
  CHECK(Parse(grpc::ByteBuffer(), &parsed));
}

TEST_CASE("a message that came in many slices is parsed, and can be parsed again") {
  MaintenanceEchoRequest request;
  request.set_message("hello");
  std::vector<std::string> parts;
  for (const char byte : request.SerializeAsString()) parts.emplace_back(1, byte);
  const grpc::ByteBuffer bytes = Bytes(parts);
  for (int i = 0; i < 2; ++i) {
    MaintenanceEchoRequest parsed;
    CHECK(Parse(bytes, &parsed));
    CHECK(parsed.message() == "hello");
  }
}

TEST_CASE("parsing replaces what the message held") {
  MaintenanceEchoRequest parsed;
  parsed.set_message("before");
  CHECK(Parse(Bytes({""}), &parsed));
  CHECK(parsed.message().empty());
}

TEST_CASE("bytes that are no message are refused") {
  MaintenanceEchoRequest request;
  request.set_message("hello");
  const std::string whole = request.SerializeAsString();
  MaintenanceEchoRequest parsed;
  for (size_t length = 1; length < whole.size(); ++length) {
    CHECK_FALSE(Parse(Bytes({whole.substr(0, length)}), &parsed));
    CHECK_FALSE(Parse(Bytes({whole.substr(0, 1), whole.substr(1, length - 1)}), &parsed));
  }
  CHECK_FALSE(Parse(Bytes({"\xff\xff\xff\xff"}), &parsed));
}

TEST_CASE("a text that is not UTF-8 is refused, and nothing is printed") {
  StderrCapture printed;
  MaintenanceEchoRequest parsed;
  CHECK_FALSE(Parse(Bytes({"\x0a\x02\xc3\x28"}), &parsed));
  CHECK_FALSE(Parse(Bytes({"\x0a\x02", "\xc3\x28"}), &parsed));
  CHECK(printed.Text().empty());
}

TEST_CASE("what else protobuf complains about is still printed") {
  StderrCapture printed;
  GOOGLE_LOG(ERROR) << "something else";
  CHECK(printed.Text().find("something else") != std::string::npos);
}

TEST_CASE("map fields are written in the order of their keys") {
  google::rpc::ErrorInfo info;
  for (int i = 99; i >= 10; --i) (*info.mutable_metadata())[std::to_string(i)] = "";
  const std::string text = Text(Serialize(info));
  size_t position = 0;
  for (int i = 10; i < 100; ++i) {
    const size_t found = text.find(std::to_string(i));
    REQUIRE(found != std::string::npos);
    CHECK(found >= position);
    position = found;
  }
}

}  // namespace
}  // namespace kvs::rpc
