// Reads a view of a store from beginning to end.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "kvs_server/engine/scanner.h"
#include "tests/support/catch.h"

namespace kvs::server {

inline const std::vector<ValueType> kEveryType(kValueTypes.begin(), kValueTypes.end());

inline std::unique_ptr<Scanner> OpenScanner(
    Store& store, Journal& journal, Selection selection = {.types = kEveryType}, uint64_t max_keys = Scanner::kNoLimit,
    std::function<void()> overtaken = [] {}) {
  auto scanner = Scanner::Open(&store, &journal, std::move(selection), max_keys, std::move(overtaken));
  INFO(scanner.status());
  REQUIRE(scanner.ok());
  return *std::move(scanner);
}

// Adds a key, or a part of one to what there is of it.
inline void Join(ViewedKey&& key, std::vector<ViewedKey>* keys) {
  if (keys->empty() || !keys->back().more) {
    keys->push_back(std::move(key));
    return;
  }
  ViewedKey& whole = keys->back();
  CHECK(whole.type == key.type);
  CHECK(whole.key == key.key);
  CHECK(whole.revision == key.revision);
  CHECK(whole.expires_at_micros == key.expires_at_micros);
  whole.more = key.more;
  if (auto* set = std::get_if<SetValue>(&*whole.value)) {
    for (const std::string& member : std::get<SetValue>(*key.value).members()) CHECK(set->Insert(member));
  } else {
    auto& map = std::get<MapValue>(*whole.value);
    for (const auto& [name, text] : std::get<MapValue>(*key.value).fields()) CHECK(map.Put(name, text));
  }
}

// What is left, its values whole.
inline std::vector<ViewedKey> ReadAll(Scanner& scanner) {
  std::vector<ViewedKey> keys;
  while (!scanner.is_done()) {
    const absl::Status status = scanner.Read(1000, [&](ViewedKey&& key) {
      Join(std::move(key), &keys);
      return true;
    });
    INFO(status);
    REQUIRE(status.ok());
  }
  return keys;
}

inline std::vector<ViewedKey> ScanAll(Store& store, Journal& journal, Selection selection = {.types = kEveryType}) {
  return ReadAll(*OpenScanner(store, journal, std::move(selection)));
}

}  // namespace kvs::server
