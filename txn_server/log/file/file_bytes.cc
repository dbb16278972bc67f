#include "txn_server/log/file/file_bytes.h"

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>

#include "common/crc32c.h"
#include "common/limits.h"

namespace kvs::txn {

absl::Status ReadPrefix(File& file, uint64_t size,
                        absl::FunctionRef<absl::Status(uint64_t offset, absl::string_view piece)> use) {
  std::string buffer(static_cast<size_t>(std::min<uint64_t>(size, kMiB)), '\0');
  for (uint64_t offset = 0; offset < size;) {
    const auto wanted = static_cast<size_t>(std::min<uint64_t>(buffer.size(), size - offset));
    const auto read = file.ReadAt(offset, buffer.data(), wanted);
    if (!read.ok()) return read.status();
    if (*read < wanted) {
      return absl::OutOfRangeError(absl::StrCat("it has ", offset + *read, " bytes and should have ", size));
    }
    if (absl::Status status = use(offset, absl::string_view(buffer).substr(0, wanted)); !status.ok()) return status;
    offset += wanted;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> PrefixCrc32c(File& file, uint64_t size, absl::FunctionRef<void(uint64_t bytes)> read) {
  uint32_t crc = 0;
  const absl::Status status = ReadPrefix(file, size, [&](uint64_t, absl::string_view piece) {
    crc = ExtendCrc32c(crc, piece);
    read(piece.size());
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return crc;
}

}  // namespace kvs::txn
