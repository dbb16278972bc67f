#include "clients/cli/json.h"

#include "kvs/v1/int_store.pb.h"
#include "kvs/v1/keys.pb.h"
#include "kvs/v1/map_store.pb.h"
#include "kvs/v1/set_store.pb.h"
#include "tests/support/catch.h"

namespace kvs::cli {
namespace {

TEST_CASE("64-bit numbers are strings, and a zero is shown") {
  v1::IntStoreGetResponse response;
  response.set_value(0);
  response.set_revision(18446744073709551615u);
  CHECK(JsonOf(response) == R"({"value":"0","revision":"18446744073709551615"})");
}

TEST_CASE("an empty list is shown") {
  v1::SetStoreGetResponse response;
  response.set_revision(1);
  CHECK(JsonOf(response) == R"({"members":[],"revision":"1"})");
}

TEST_CASE("maps are in order") {
  v1::MapStoreGetResponse response;
  for (const char* name : {"rack", "city", "zone", "a", "b", "c"}) response.mutable_fields()->insert({name, "x"});
  CHECK(JsonOf(response) == R"({"fields":{"a":"x","b":"x","c":"x","city":"x","rack":"x","zone":"x"}})");
}

TEST_CASE("enums have their names") {
  v1::KeyEntry entry;
  entry.set_type(v1::VALUE_TYPE_MAP);
  entry.set_key("host:1\n");
  CHECK(JsonOf(entry) == R"({"type":"VALUE_TYPE_MAP","key":"host:1\n"})");
}

TEST_CASE("objects by hand keep the order of their members") {
  CHECK(JsonObject().ToString() == "{}");
  CHECK(JsonObject()
            .Add("z", "quoted \"text\"")
            .Add("a", true)
            .Add("n", uint64_t{1} << 63)
            .AddJson("o", JsonObject().ToString())
            .ToString() == R"({"z":"quoted \"text\"","a":true,"n":"9223372036854775808","o":{}})");
}

}  // namespace
}  // namespace kvs::cli
