// The proto files of this project and of the standard services, as one serialized google.protobuf.FileDescriptorSet
// with imports and comments. Made at build time from the files themselves.
#pragma once

#include <absl/strings/string_view.h>

namespace kvs {

absl::string_view DescriptorSet();

}  // namespace kvs
