#include "common/rpc/reflection.h"

#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <set>

#include "common/errors.h"
#include "common/rpc/status.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "proto/descriptor_set.h"

namespace kvs::rpc {
namespace {

// v1alpha has the same messages as v1 but for the name of the package, which does not travel.
using grpc::reflection::v1::ErrorResponse;
using grpc::reflection::v1::ExtensionRequest;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

// Answers that a stream may have waiting for its client before it stops reading. One may hold many files.
constexpr size_t kMaxQueuedAnswers = 4;

template <class Message>
const google::protobuf::ServiceDescriptor* OnlyServiceBeside() {
  return Message::descriptor()->file()->service(0);
}

void SetError(grpc::StatusCode code, const char* message, ServerReflectionResponse* response) {
  ErrorResponse* error = response->mutable_error_response();
  error->set_error_code(code);
  error->set_error_message(message);
}

}  // namespace

class ReflectionService::Stream final : public StreamHandler {
 public:
  Stream(const ReflectionService* reflection, ServerStream* stream) : reflection_(reflection), stream_(stream) {}

  bool OnMessage(const grpc::ByteBuffer& message) override {
    ServerReflectionRequest request;
    if (!Parse(message, &request)) {
      stream_->Finish(Service::MalformedError(*ServerReflectionRequest::descriptor()));
      return false;
    }
    ServerReflectionResponse response;
    response.set_valid_host(request.host());
    *response.mutable_original_request() = request;
    Answer(request, &response);
    stream_->Write(response);
    return stream_->queued() < kMaxQueuedAnswers;
  }

  void OnWritten() override {
    if (stream_->queued() < kMaxQueuedAnswers) stream_->ResumeReading();
  }

  void OnHalfClose() override { stream_->Finish(grpc::Status::OK); }

  void OnDrain() override { stream_->Finish(ToGrpc(Error(errors::kDraining, "the server is shutting down"))); }

 private:
  void Answer(const ServerReflectionRequest& request, ServerReflectionResponse* response) {
    const auto& pool = reflection_->pool_;
    switch (request.message_request_case()) {
      case ServerReflectionRequest::kFileByFilename:
        return AnswerFile(pool.FindFileByName(request.file_by_filename()), response);
      case ServerReflectionRequest::kFileContainingSymbol:
        return AnswerFile(pool.FindFileContainingSymbol(request.file_containing_symbol()), response);
      case ServerReflectionRequest::kFileContainingExtension:
        return AnswerFile(FileOfExtension(request.file_containing_extension()), response);
      case ServerReflectionRequest::kAllExtensionNumbersOfType:
        return AnswerExtensionNumbers(request.all_extension_numbers_of_type(), response);
      case ServerReflectionRequest::kListServices:
        for (const std::string& name : reflection_->service_names_) {
          response->mutable_list_services_response()->add_service()->set_name(name);
        }
        return;
      case ServerReflectionRequest::MESSAGE_REQUEST_NOT_SET:
        return SetError(grpc::StatusCode::INVALID_ARGUMENT, "the request asks for nothing that this server knows",
                        response);
    }
  }

  const FileDescriptor* FileOfExtension(const ExtensionRequest& request) const {
    const Descriptor* extendee = reflection_->pool_.FindMessageTypeByName(request.containing_type());
    if (extendee == nullptr) return nullptr;
    const FieldDescriptor* extension = reflection_->pool_.FindExtensionByNumber(extendee, request.extension_number());
    return extension == nullptr ? nullptr : extension->file();
  }

  void AnswerExtensionNumbers(const std::string& type, ServerReflectionResponse* response) const {
    const Descriptor* extendee = reflection_->pool_.FindMessageTypeByName(type);
    if (extendee == nullptr) return SetError(grpc::StatusCode::NOT_FOUND, "no message has that name", response);
    auto* numbers = response->mutable_all_extension_numbers_response();
    numbers->set_base_type_name(type);
    std::vector<const FieldDescriptor*> extensions;
    reflection_->pool_.FindAllExtensions(extendee, &extensions);
    for (const FieldDescriptor* extension : extensions) numbers->add_extension_number(extension->number());
  }

  // The file itself is sent each time, since its client has asked for it.
  void AnswerFile(const FileDescriptor* file, ServerReflectionResponse* response) {
    if (file == nullptr) return SetError(grpc::StatusCode::NOT_FOUND, "no proto file of this server has it", response);
    sent_.erase(file);
    AddWithImports(file, response);
  }

  void AddWithImports(const FileDescriptor* file, ServerReflectionResponse* response) {
    if (!sent_.insert(file).second) return;
    response->mutable_file_descriptor_response()->add_file_descriptor_proto(reflection_->files_.at(file->name()));
    for (int i = 0; i < file->dependency_count(); ++i) AddWithImports(file->dependency(i), response);
  }

  const ReflectionService* const reflection_;
  ServerStream* const stream_;
  std::set<const FileDescriptor*> sent_;
};

ReflectionService::ReflectionService(std::vector<std::string> service_names)
    : v1_(OnlyServiceBeside<ServerReflectionRequest>()),
      v1alpha_(OnlyServiceBeside<grpc::reflection::v1alpha::ServerReflectionRequest>()),
      service_names_(std::move(service_names)) {
  service_names_.push_back(OnlyServiceBeside<grpc::health::v1::HealthCheckRequest>()->full_name());
  for (Service* service : services()) {
    service_names_.emplace_back(service->name());
    service->AddStream("ServerReflectionInfo",
                       [this](ServerStream& stream) { return std::make_unique<Stream>(this, &stream); });
  }
  std::sort(service_names_.begin(), service_names_.end());

  google::protobuf::FileDescriptorSet set;
  const absl::string_view bytes = DescriptorSet();
  set.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  for (const auto& file : set.file()) {  // imports come before the files that import them
    pool_.BuildFile(file);
    files_.emplace(file.name(), file.SerializeAsString());
  }
}

}  // namespace kvs::rpc
