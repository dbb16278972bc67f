#include "tests/support/source_dir.h"

namespace kvs {

std::string SourceDir() { return KVS_SOURCE_DIR; }

}  // namespace kvs
