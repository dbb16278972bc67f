// Which operations of a message failed, told by looking at the encoded response as far as that takes.
#pragma once

#include <absl/status/status.h>
#include <absl/strings/string_view.h>

#include <cstdint>

namespace kvs::bench {

// How many of the operations failed, by a response that came with the status OK: all of them if it is no such message.
// `error` becomes that of the first one if it is OK; that of a key that is not there is kKeyNotFound.
using ResponseCheck = uint32_t (*)(absl::string_view response, uint32_t operations, absl::Status* error);

// Of responses that say nothing more than their status does.
uint32_t CheckNothing(absl::string_view response, uint32_t operations, absl::Status* error);
// Of the calls that take many keys: the keys that have no revision there, since they are absent or failed.
uint32_t CheckMulti(absl::string_view response, uint32_t operations, absl::Status* error);
// Of Batch.Execute.
uint32_t CheckBatch(absl::string_view response, uint32_t operations, absl::Status* error);
// A message of Batch.Pipeline.
uint32_t CheckPipeline(absl::string_view response, uint32_t operations, absl::Status* error);
// The same, whose batch is one operation that takes many keys.
uint32_t CheckPipelineMulti(absl::string_view response, uint32_t operations, absl::Status* error);

}  // namespace kvs::bench
