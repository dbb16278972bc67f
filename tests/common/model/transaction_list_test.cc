#include "common/model/transaction_list.h"

#include <absl/strings/str_cat.h>

#include "tests/support/catch.h"
#include "tests/support/list_entries.h"

namespace kvs {
namespace {

const operation::Put kPut{int64_t{7}};

TEST_CASE("the transactions of a list come one by one, with their bytes") {
  const std::string first = Entry(1, 0, ValueType::kInt, "a", kPut);
  const std::string second = Entry(2, 1, ValueType::kInt, "a", operation::Delete{});
  const std::string list = first + second;
  TransactionListReader reader;
  for (int round = 0; round < 2; ++round) {
    reader.Reset(list);
    auto item = reader.Next();
    REQUIRE(item.ok());
    REQUIRE(*item != nullptr);
    CHECK((*item)->transaction.revision == 1);
    CHECK((*item)->transaction.key == "a");
    CHECK((*item)->entry == first);
    item = reader.Next();
    REQUIRE(item.ok());
    REQUIRE(*item != nullptr);
    CHECK((*item)->transaction.revision == 2);
    CHECK((*item)->entry == second);
    CHECK(*reader.Next() == nullptr);
    CHECK(*reader.Next() == nullptr);
  }
}

TEST_CASE("an empty list has no transactions, also where nothing was given") {
  TransactionListReader reader;
  CHECK(*reader.Next() == nullptr);
  reader.Reset("");
  CHECK(*reader.Next() == nullptr);
}

TEST_CASE("what a list gives borrows from it, however much that is") {
  const std::string text(300'000, 'x');
  std::string list;
  for (uint64_t i = 1; i <= 20; ++i) {
    list += Entry(i, 0, ValueType::kString, absl::StrCat("key-", i), operation::Put{absl::string_view(text)});
  }
  TransactionListReader reader;
  reader.Reset(list);
  for (uint64_t i = 1; i <= 20; ++i) {
    const auto item = reader.Next();
    REQUIRE(item.ok());
    REQUIRE(*item != nullptr);
    const Transaction& transaction = (*item)->transaction;
    CHECK(transaction.key == absl::StrCat("key-", i));
    const bool same = std::get<absl::string_view>(std::get<operation::Put>(transaction.operation).value) == text;
    CHECK(same);
  }
}

TEST_CASE("remembered requests are given away on the way, and are data loss to who expects none") {
  const RememberedRequest request{3, 30, "ann", "1", {11, 1, "answer"}};
  const std::string entry = Entry(1, 0, ValueType::kInt, "a", kPut);
  const std::string list = Encode(request) + Encode(request) + entry;
  TransactionListReader without;
  without.Reset(list);
  CHECK(absl::IsDataLoss(without.Next().status()));
  int seen = 0;
  TransactionListReader with([&](const RememberedRequest& read) {
    CHECK(Encode(read) == Encode(request));
    return ++seen <= 2 ? absl::OkStatus() : absl::AbortedError("enough");
  });
  with.Reset(list);
  const auto item = with.Next();
  REQUIRE(item.ok());
  REQUIRE(*item != nullptr);
  CHECK((*item)->entry == entry);
  CHECK(seen == 2);
  CHECK(*with.Next() == nullptr);
  with.Reset(list);
  CHECK(absl::IsAborted(with.Next().status()));
  for (size_t size = 1; size < Encode(request).size(); ++size) {
    TransactionListReader cut([](const RememberedRequest&) { return absl::OkStatus(); });
    const std::string part = Encode(request).substr(0, size);
    cut.Reset(part);
    CHECK(absl::IsDataLoss(cut.Next().status()));
  }
}

TEST_CASE("what is no list of transactions is data loss, at every place where it may end") {
  const std::string entry = Entry(1, 0, ValueType::kInt, "a", kPut);
  TransactionListReader reader;
  for (size_t size = 1; size < entry.size(); ++size) {
    INFO(size << " bytes");
    reader.Reset(absl::string_view(entry).substr(0, size));
    CHECK(absl::IsDataLoss(reader.Next().status()));
  }
  for (const std::string& bytes :
       {std::string("\x12\x00", 2), std::string("\x0A\x00", 2), std::string("\x0A\xff\xff\xff\xff\xff\xff", 7),
        std::string("\x0A\x03\xff\xff\xff", 5)}) {
    reader.Reset(bytes);
    CHECK(absl::IsDataLoss(reader.Next().status()));
  }
  const std::string second = entry + "rubbish";
  reader.Reset(second);
  CHECK(reader.Next().ok());
  CHECK(absl::IsDataLoss(reader.Next().status()));
}

}  // namespace
}  // namespace kvs
