#include "txn_server/log/file/header_fields.h"

#include "tests/support/catch.h"

namespace kvs::txn {
namespace {

TEST_CASE("numbers are stored lowest byte first, in their place alone") {
  std::string bytes(100, 'x');
  Put32(bytes, 1, 0x04030201);
  CHECK(bytes == std::string("x\x01\x02\x03\x04") + std::string(95, 'x'));
  CHECK(Get32(bytes, 1) == 0x04030201);
  Put64(bytes, 6, 0xFFEEDDCCBBAA9988);
  CHECK(bytes.substr(6) == std::string("\x88\x99\xAA\xBB\xCC\xDD\xEE\xFF") + std::string(86, 'x'));
  CHECK(Get64(bytes, 6) == 0xFFEEDDCCBBAA9988);
  CHECK(Get32(bytes, 10) == 0xFFEEDDCC);
  PutText(bytes, 0, "ab");
  CHECK(bytes.substr(0, 3) == "ab\x02");
  CHECK(bytes.size() == 100);
}

TEST_CASE("a header is intact if its checksum is that of the bytes before") {
  std::string bytes = "123456789....";
  Put32(bytes, 9, 0xE3069283);
  CHECK(CheckIntegrity(bytes, 9).empty());
  bytes[3] = 'x';
  CHECK_THAT(CheckIntegrity(bytes, 9), ContainsText("the checksum of the header is e3069283"));
}

}  // namespace
}  // namespace kvs::txn
