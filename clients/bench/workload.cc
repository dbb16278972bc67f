#include "clients/bench/workload.h"

#include <algorithm>
#include <cstdlib>
#include <random>
#include <utility>

#include "common/limits.h"
#include "kvs/v1/batch.pb.h"

namespace kvs::bench {
namespace {

constexpr char kField[] = "field";
// Of kMixed: each has its own order of reads and writes.
constexpr uint64_t kMixedMessages = 16;
constexpr uint64_t kFillBatch = 1000;
// Of a message that fills; the server takes kMaxRequestBytes.
constexpr uint64_t kFillBytes = 1 * kMiB;

class Maker {
 public:
  explicit Maker(const Options& options)
      : options_(options), keys_(options.keys, options.key_size), value_(options.value_size, 'v') {}

  Message Unary(Verb verb) const {
    switch (verb) {
      case Verb::kGet:
        return options_.type == Type::kInt ? Make("IntStore/Get", Get<v1::IntStoreGetRequest>(), CheckNothing)
                                           : Make("StringStore/Get", Get<v1::StringStoreGetRequest>(), CheckNothing);
      case Verb::kPut:
        return options_.type == Type::kInt ? Make("IntStore/Put", IntPut(), CheckNothing)
                                           : Make("StringStore/Put", StringPut(), CheckNothing);
      case Verb::kIncr:
        return Make("IntStore/Increment", Increment(), CheckNothing);
      case Verb::kMixed:
        break;
    }
    std::abort();
  }

  Message Multi(Verb verb) const {
    const bool is_int = options_.type == Type::kInt;
    switch (verb) {
      case Verb::kGet:
        return is_int ? Make("IntStore/MultiGet", Keys<v1::IntStoreMultiGetRequest>(), CheckMulti)
                      : Make("StringStore/MultiGet", Keys<v1::StringStoreMultiGetRequest>(), CheckMulti);
      case Verb::kPut:
        return is_int ? Make("IntStore/MultiPut", IntMultiPut(), CheckMulti)
                      : Make("StringStore/MultiPut", StringMultiPut(), CheckMulti);
      case Verb::kIncr:
        return Make("IntStore/MultiIncrement", MultiIncrement(), CheckMulti);
      case Verb::kMixed:
        break;
    }
    std::abort();
  }

  // `add(BatchOperation*, i)` sets the operation of this place.
  template <class Add>
  Message Batch(Add add) const {
    v1::BatchExecuteRequest request;
    request.set_atomic(options_.via == Via::kAtomic);
    for (uint64_t i = 0; i < options_.batch; ++i) add(request.add_operations(), i);
    if (options_.via != Via::kPipeline) return Make("Batch/Execute", request, CheckBatch);
    v1::BatchPipelineRequest message;
    message.mutable_batch()->Swap(&request);
    return Make("Batch/Pipeline", message, CheckPipeline);
  }

  Message BatchOf(Verb verb) const {
    return Batch([&](v1::BatchOperation* operation, uint64_t) { SetOperation(operation, verb); });
  }

  // Operations of one kind travel on a stream as one that takes many keys.
  Message Pipeline(Verb verb) const {
    v1::BatchPipelineRequest message;
    v1::BatchOperation* operation = message.mutable_batch()->add_operations();
    const bool is_int = options_.type == Type::kInt;
    switch (verb) {
      case Verb::kGet:
        if (is_int) *operation->mutable_int_multi_get() = Keys<v1::IntStoreMultiGetRequest>();
        if (!is_int) *operation->mutable_string_multi_get() = Keys<v1::StringStoreMultiGetRequest>();
        break;
      case Verb::kPut:
        if (is_int) *operation->mutable_int_multi_put() = IntMultiPut();
        if (!is_int) *operation->mutable_string_multi_put() = StringMultiPut();
        break;
      case Verb::kIncr:
        *operation->mutable_int_multi_increment() = MultiIncrement();
        break;
      case Verb::kMixed:
        std::abort();
    }
    return Make("Batch/Pipeline", message, CheckPipelineMulti);
  }

  // Reads and writes of ints, strings and maps, in a random order.
  Message MixedBatch(std::mt19937& random) const {
    std::vector<bool> is_read(options_.batch);
    std::fill_n(is_read.begin(), options_.batch * options_.reads / 100, true);
    std::shuffle(is_read.begin(), is_read.end(), random);
    uint64_t reads = 0;
    uint64_t writes = 0;
    return Batch([&](v1::BatchOperation* operation, uint64_t i) {
      if (is_read[i]) {
        SetRead(operation, reads++);
      } else {
        SetWrite(operation, writes++);
      }
    });
  }

  Message FieldPuts() const {
    return Batch([&](v1::BatchOperation* operation, uint64_t) { *operation->mutable_map_put_fields() = FieldPut(); });
  }

 private:
  Message Make(absl::string_view method, const google::protobuf::MessageLite& request, ResponseCheck check) const {
    return {"/kvs.v1." + std::string(method), RequestTemplate(request, keys_), check};
  }

  template <class Request>
  Request Get() const {
    Request request;
    request.set_key(keys_.Name(0));
    return request;
  }
  template <class Request>
  Request Keys() const {
    Request request;
    for (uint64_t i = 0; i < options_.batch; ++i) request.add_keys(keys_.Name(0));
    return request;
  }
  v1::IntStoreMultiPutRequest IntMultiPut() const {
    auto request = Keys<v1::IntStoreMultiPutRequest>();
    for (uint64_t i = 0; i < options_.batch; ++i) request.add_values(41);
    return request;
  }
  v1::StringStoreMultiPutRequest StringMultiPut() const {
    auto request = Keys<v1::StringStoreMultiPutRequest>();
    for (uint64_t i = 0; i < options_.batch; ++i) request.add_values(value_);
    return request;
  }
  v1::IntStoreMultiIncrementRequest MultiIncrement() const {
    auto request = Keys<v1::IntStoreMultiIncrementRequest>();
    for (uint64_t i = 0; i < options_.batch; ++i) request.add_deltas(1);
    return request;
  }
  v1::IntStorePutRequest IntPut() const {
    auto request = Get<v1::IntStorePutRequest>();
    request.set_value(41);
    return request;
  }
  v1::IntStoreIncrementRequest Increment() const {
    auto request = Get<v1::IntStoreIncrementRequest>();
    request.set_delta(1);
    return request;
  }
  v1::StringStorePutRequest StringPut() const {
    auto request = Get<v1::StringStorePutRequest>();
    request.set_value(value_);
    return request;
  }
  v1::MapStorePutFieldsRequest FieldPut() const {
    auto request = Get<v1::MapStorePutFieldsRequest>();
    (*request.mutable_fields())[kField] = value_;
    return request;
  }

  void SetOperation(v1::BatchOperation* operation, Verb verb) const {
    const bool is_int = options_.type == Type::kInt;
    switch (verb) {
      case Verb::kGet:
        if (is_int) *operation->mutable_int_get() = Get<v1::IntStoreGetRequest>();
        if (!is_int) *operation->mutable_string_get() = Get<v1::StringStoreGetRequest>();
        return;
      case Verb::kPut:
        if (is_int) *operation->mutable_int_put() = IntPut();
        if (!is_int) *operation->mutable_string_put() = StringPut();
        return;
      case Verb::kIncr:
        *operation->mutable_int_increment() = Increment();
        return;
      case Verb::kMixed:
        std::abort();
    }
  }
  void SetRead(v1::BatchOperation* operation, uint64_t i) const {
    switch (i % 3) {
      case 0:
        *operation->mutable_int_get() = Get<v1::IntStoreGetRequest>();
        return;
      case 1:
        *operation->mutable_string_get() = Get<v1::StringStoreGetRequest>();
        return;
      default:
        *operation->mutable_map_get_fields() = Get<v1::MapStoreGetFieldsRequest>();
        operation->mutable_map_get_fields()->add_names(kField);
    }
  }
  void SetWrite(v1::BatchOperation* operation, uint64_t i) const {
    switch (i % 4) {
      case 0:
        *operation->mutable_int_put() = IntPut();
        return;
      case 1:
        *operation->mutable_string_put() = StringPut();
        return;
      case 2:
        *operation->mutable_int_increment() = Increment();
        return;
      default:
        *operation->mutable_map_put_fields() = FieldPut();
    }
  }

  const Options options_;
  const KeySpace keys_;
  const std::string value_;
};

bool IsInBatches(Via via) { return via != Via::kUnary && via != Via::kMulti; }

uint64_t FillBatch(const Options& options) {
  const uint64_t fitting = kFillBytes / (options.key_size + options.value_size);
  return std::clamp(fitting, uint64_t{1}, std::min(kFillBatch, options.keys));
}

}  // namespace

Workload MakeWorkload(const Options& options) {
  const Maker maker(options);
  Workload workload;
  workload.operations = static_cast<uint32_t>(options.batch);
  workload.is_stream = options.via == Via::kPipeline;
  const auto one = [&](Verb verb) {
    switch (options.via) {
      case Via::kUnary:
        return maker.Unary(verb);
      case Via::kMulti:
        return maker.Multi(verb);
      case Via::kBatch:
      case Via::kAtomic:
        return maker.BatchOf(verb);
      case Via::kPipeline:
        return maker.Pipeline(verb);
    }
    std::abort();
  };
  if (options.verb != Verb::kMixed) {
    workload.messages.push_back(one(options.verb));
  } else if (IsInBatches(options.via)) {
    std::mt19937 random(1);
    for (uint64_t i = 0; i < kMixedMessages; ++i) workload.messages.push_back(maker.MixedBatch(random));
  } else {
    for (uint64_t i = 0; i < 100; ++i) workload.messages.push_back(one(i < options.reads ? Verb::kGet : Verb::kPut));
  }
  return workload;
}

std::vector<Fill> MakeFills(const Options& options) {
  Options fill = options;
  fill.batch = FillBatch(options);
  const uint64_t messages = (options.keys + fill.batch - 1) / fill.batch;
  const auto operations = static_cast<uint32_t>(fill.batch);
  std::vector<Fill> fills;
  const auto add = [&](Message message) { fills.push_back({{{std::move(message)}, operations}, messages}); };
  const bool has_all_types = options.verb == Verb::kMixed && IsInBatches(options.via);
  fill.via = Via::kMulti;
  for (const Type type : {Type::kInt, Type::kString}) {
    fill.type = type;
    if (has_all_types || type == options.type) add(Maker(fill).Multi(Verb::kPut));
  }
  fill.via = Via::kBatch;
  if (has_all_types) add(Maker(fill).FieldPuts());
  return fills;
}

}  // namespace kvs::bench
