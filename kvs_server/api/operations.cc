#include "kvs_server/api/operations.h"

#include <absl/strings/str_cat.h>

#include <string>

#include "kvs_server/api/once.h"

namespace kvs::server {
namespace {

// The calls that DoLists does.
template <class Request>
concept HasLists =
    requires(const Request& request) { request.keys(); } && !requires(const Request& request) { request.deltas(); };

template <class Request, class Response>
void Add(rpc::Service& service, absl::string_view method, Engine* engine, Responder* responder,
         v1::BatchOperation::OperationCase operation, const StoreOptions& options) {
  const auto handle = [engine, options](const std::string& actor, const Request& request, Response* response) {
    return engine->WithRoom([&request] { return HashesOf(request); },
                            [&] {
                              response->Clear();
                              return Perform(engine, actor, options, request, response);
                            });
  };
  if constexpr (HasLists<Request>) {
    const auto quick = [engine, options, operation](const std::string& actor, absl::string_view request) {
      return DoLists(Session(engine, actor, options), {operation, request});
    };
    responder->Add<Request, Response>(service, method, quick, handle);
  } else {
    responder->Add<Request, Response>(service, method, handle);
  }
}

}  // namespace

void AddOperations(rpc::Service* service, Engine* engine, Responder* responder, const StoreOptions& options) {
#define KVS_ADD(store, verb, field, case)                                                           \
  if (service->name() == "kvs.v1." #store) {                                                        \
    Add<v1::store##verb##Request, v1::store##verb##Response>(*service, #verb, engine, responder,    \
                                                             v1::BatchOperation::k##case, options); \
  }
  KVS_OPERATIONS(KVS_ADD)
#undef KVS_ADD
}

}  // namespace kvs::server
