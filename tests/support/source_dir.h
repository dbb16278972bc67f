// Where this checkout is, for tests that read files of it.
#pragma once

#include <string>

namespace kvs {

// Without a "/" at the end.
std::string SourceDir();

}  // namespace kvs
