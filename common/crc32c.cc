#include "common/crc32c.h"

#include <isa-l/crc.h>

namespace kvs {

uint32_t ExtendCrc32c(uint32_t crc, absl::string_view bytes) {
  // ISA-L takes and returns the register itself; the checksum is its complement, before and after. It does not write.
  auto* data = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data()));
  return ~crc32_iscsi(data, static_cast<int>(bytes.size()), ~crc);
}

}  // namespace kvs
