#include "kvs_server/api/operations.h"

#include <absl/strings/str_cat.h>

#include <string>

#include "kvs_server/api/once.h"

namespace kvs::server {
namespace {

template <class Request, class Response>
void Add(rpc::Service& service, absl::string_view method, Engine* engine, Responder* responder,
         const StoreOptions& options) {
  responder->Add<Request, Response>(
      service, method, [engine, options](const std::string& actor, const Request& request, Response* response) {
        return engine->WithRoom([&request] { return HashesOf(request); },
                                [&] {
                                  response->Clear();
                                  return Perform(engine, actor, options, request, response);
                                });
      });
}

}  // namespace

void AddOperations(rpc::Service* service, Engine* engine, Responder* responder, const StoreOptions& options) {
#define KVS_ADD(store, verb, field, case)                                                                  \
  if (service->name() == "kvs.v1." #store) {                                                               \
    Add<v1::store##verb##Request, v1::store##verb##Response>(*service, #verb, engine, responder, options); \
  }
  KVS_OPERATIONS(KVS_ADD)
#undef KVS_ADD
}

}  // namespace kvs::server
