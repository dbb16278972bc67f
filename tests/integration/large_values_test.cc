// Values and collections up to their limits, and past what one reply may hold.

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/errors.h"
#include "common/limits.h"
#include "kvs/v1/map_store.grpc.pb.h"
#include "kvs/v1/set_store.grpc.pb.h"
#include "kvs/v1/string_store.grpc.pb.h"
#include "tests/integration/support/api_pair.h"

namespace kvs {
namespace {

using Sets = v1::SetStore::Stub;
using Maps = v1::MapStore::Stub;
using Strings = v1::StringStore::Stub;

// Distinct names in byte order, each of `size` bytes.
std::string Name(size_t i, size_t size) {
  std::string name = absl::StrCat(1000000 + i);
  name.resize(size, 'n');
  return name;
}

class LargeValues : public ApiPair {
 protected:
  // Adds members in requests of 1,000.
  void AddMembers(const std::vector<std::string>& members) {
    for (size_t i = 0; i < members.size(); i += 1000) {
      v1::SetStoreAddRequest request;
      request.set_key("k");
      const size_t end = std::min(members.size(), i + 1000);
      request.mutable_members()->Assign(members.begin() + i, members.begin() + end);
      v1::SetStoreAddResponse response;
      REQUIRE(Call(sets_, &Sets::Add, request, &response).ok());
      REQUIRE(response.size() == end);
    }
  }

  void PutField(const std::string& name, const std::string& value) {
    v1::MapStorePutFieldsRequest request;
    request.set_key("k");
    (*request.mutable_fields())[name] = value;
    v1::MapStorePutFieldsResponse response;
    REQUIRE(Call(maps_, &Maps::PutFields, request, &response).ok());
  }

  // All members, page by page; `limit` 0 for the default.
  std::vector<std::string> PageMembers(uint32_t limit) {
    std::vector<std::string> members;
    for (v1::SetStoreListMembersResponse page;;) {
      v1::SetStoreListMembersRequest request;
      request.set_key("k");
      if (limit) request.set_limit(limit);
      if (!members.empty()) request.set_start_after(members.back());
      REQUIRE(Call(sets_, &Sets::ListMembers, request, &page).ok());
      size_t bytes = 0;
      for (const std::string& member : page.members()) bytes += member.size();
      CHECK(bytes <= kMiB);
      members.insert(members.end(), page.members().begin(), page.members().end());
      if (!page.more()) return members;
      REQUIRE(page.members_size() > 0);
    }
  }

  Sets sets_{pair_.channel()};
  Maps maps_{pair_.channel()};
  Strings strings_{pair_.channel()};
};

TEST_CASE_METHOD(LargeValues, "a string of exactly 1 MiB is stored and outlives a restart") {
  const std::string text(kMiB, 'x');
  v1::StringStorePutRequest put;
  put.set_key("k");
  put.set_value(text);
  v1::StringStorePutResponse done;
  REQUIRE(Call(strings_, &Strings::Put, put, &done).ok());
  v1::StringStoreGetRequest get;
  get.set_key("k");
  v1::StringStoreGetResponse got;
  REQUIRE(Call(strings_, &Strings::Get, get, &got).ok());
  CHECK(got.value() == text);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(LargeValues, "a request that carries exactly 1 MiB is accepted, in all types that can carry it") {
  std::vector<std::string> members;
  for (size_t i = 0; i < 1024; ++i) members.push_back(Name(i, 1024));
  v1::SetStorePutRequest put;
  put.set_key("k");
  put.mutable_members()->Assign(members.begin(), members.end());
  v1::SetStorePutResponse done;
  CHECK(Call(sets_, &Sets::Put, put, &done).ok());
  PutField("name", std::string(kMiB - 4, 'v'));
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(LargeValues,
                 "a Get of a set past 3 MiB names the call that pages, and paging tells all of it in order") {
  std::vector<std::string> members;
  for (size_t i = 0; i < 4000; ++i) members.push_back(Name(i, 1000));
  AddMembers(members);
  v1::SetStoreGetRequest get;
  get.set_key("k");
  v1::SetStoreGetResponse got;
  const absl::Status status = Call(sets_, &Sets::Get, get, &got);
  CHECK(Is(status, errors::kReplyTooLarge));
  CHECK_THAT(std::string(status.message()), ContainsText("SetStore.ListMembers"));
  CHECK(MetadataOf(status, "limit") == "3145728");
  CHECK(PageMembers(0) == members);
  CHECK(PageMembers(1) == members);
  CHECK(PageMembers(10000) == members);  // pages end at 1 MiB
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(LargeValues, "a Get of a set of just under 3 MiB is answered") {
  std::vector<std::string> members;
  for (size_t i = 0; i < 3000; ++i) members.push_back(Name(i, 1024));
  AddMembers(members);
  v1::SetStoreGetRequest get;
  get.set_key("k");
  v1::SetStoreGetResponse got;
  REQUIRE(Call(sets_, &Sets::Get, get, &got).ok());
  CHECK(std::equal(got.members().begin(), got.members().end(), members.begin(), members.end()));
}

TEST_CASE_METHOD(LargeValues, "what counts for the limit of a reply is its size on the wire") {
  // 2.9 MiB of members, which take more than 3 MiB with their tags and lengths.
  std::vector<std::string> members;
  for (size_t i = 0; i < 380000; ++i) members.push_back(Name(i, 8));
  AddMembers(members);
  v1::SetStoreGetRequest get;
  get.set_key("k");
  v1::SetStoreGetResponse got;
  CHECK(Is(Call(sets_, &Sets::Get, get, &got), errors::kReplyTooLarge));
}

TEST_CASE_METHOD(LargeValues,
                 "a Get of a map past 3 MiB names the call that pages, and paging tells all of it in order") {
  std::vector<std::string> names;
  for (size_t i = 0; i < 8; ++i) names.push_back(Name(i, 7));
  for (const std::string& name : names) PutField(name, name + std::string(kMiB / 2, 'v'));
  v1::MapStoreGetRequest get;
  get.set_key("k");
  v1::MapStoreGetResponse got;
  const absl::Status status = Call(maps_, &Maps::Get, get, &got);
  CHECK(Is(status, errors::kReplyTooLarge));
  CHECK_THAT(std::string(status.message()), ContainsText("MapStore.ListFields"));

  std::vector<std::string> paged;
  for (v1::MapStoreListFieldsResponse page;;) {
    v1::MapStoreListFieldsRequest request;
    request.set_key("k");
    if (!paged.empty()) request.set_start_after(paged.back());
    REQUIRE(Call(maps_, &Maps::ListFields, request, &page).ok());
    CHECK(page.ByteSizeLong() <= kMiB + kKiB);
    for (const auto& field : page.fields()) {
      paged.push_back(field.name());
      CHECK(field.value() == field.name() + std::string(kMiB / 2, 'v'));
    }
    if (!page.more()) break;
  }
  CHECK(paged == names);
  CheckSameAfterRestart();
}

TEST_CASE_METHOD(LargeValues, "a page ends before it passes 1 MiB, and holds a field of that size") {
  PutField("a", std::string(kMiB - 1, 'v'));
  PutField("b", "");
  v1::MapStoreListFieldsRequest request;
  request.set_key("k");
  v1::MapStoreListFieldsResponse page;
  REQUIRE(Call(maps_, &Maps::ListFields, request, &page).ok());
  CHECK(page.fields_size() == 1);
  CHECK(page.more());
  request.set_start_after("a");
  REQUIRE(Call(maps_, &Maps::ListFields, request, &page).ok());
  CHECK(page.fields(0).name() == "b");
  CHECK_FALSE(page.more());
}

TEST_CASE_METHOD(LargeValues, "GetFields past 3 MiB says to ask for fewer") {
  v1::MapStoreGetFieldsRequest request;
  request.set_key("k");
  for (size_t i = 0; i < 4; ++i) {
    PutField(Name(i, 7), std::string(kMiB - 7, 'v'));
    request.add_names(Name(i, 7));
  }
  v1::MapStoreGetFieldsResponse response;
  const absl::Status status = Call(maps_, &Maps::GetFields, request, &response);
  CHECK(Is(status, errors::kReplyTooLarge));
  CHECK_THAT(std::string(status.message()), ContainsText("fewer names"));
  request.mutable_names()->DeleteSubrange(2, 2);
  CHECK(Call(maps_, &Maps::GetFields, request, &response).ok());
}

TEST_CASE_METHOD(LargeValues, "GetFields of many small fields counts what they take on the wire") {
  // 130,000 names of 8 bytes with values of 16: 2.97 MiB as text, over 4 MiB as messages, which no client would accept.
  v1::MapStoreGetFieldsRequest get;
  get.set_key("k");
  for (size_t i = 0; i < 130000;) {
    v1::MapStorePutFieldsRequest put;
    put.set_key("k");
    for (const size_t end = i + 10000; i < end; ++i) {
      (*put.mutable_fields())[Name(i, 8)] = std::string(16, 'v');
      get.add_names(Name(i, 8));
    }
    v1::MapStorePutFieldsResponse done;
    REQUIRE(Call(maps_, &Maps::PutFields, put, &done).ok());
  }
  v1::MapStoreGetFieldsResponse got;
  CHECK(Is(Call(maps_, &Maps::GetFields, get, &got), errors::kReplyTooLarge));
}

TEST_CASE_METHOD(LargeValues, "a set of 20 MiB, more than any message holds, is the same after a restart") {
  std::vector<std::string> members;
  for (size_t i = 0; i < 20480; ++i) members.push_back(Name(i, 1024));
  AddMembers(members);
  CheckSameAfterRestart();
  Sets sets(pair_.channel());
  v1::SetStoreSizeRequest request;
  request.set_key("k");
  v1::SetStoreSizeResponse size;
  REQUIRE(Call(sets, &Sets::Size, request, &size).ok());
  CHECK(size.size() == 20480);
}

}  // namespace
}  // namespace kvs
