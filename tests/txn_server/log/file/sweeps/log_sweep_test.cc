// Every kind of damage that a disk or a person may do to the segments of a log, in every place.

#include <functional>
#include <random>

#include "tests/support/test_size.h"
#include "tests/txn_server/log/file/sweeps/tampered_log.h"

namespace kvs::txn {
namespace {

// A log, and one case after the other.
class LogSweep {
 public:
  explicit LogSweep(SweptLog::End end) : name_(NameOf(end)), log_({end}), tampered_(log_) {
    REQUIRE(log_.bytes() >= 64 * kKiB);
    REQUIRE(log_.newest_in_use().id >= 8);
    REQUIRE((log_.frames().back().kind == FrameKind::kSeal) == (end != SweptLog::End::kUnsealed));
    REQUIRE(log_.is_sealed() == (end != SweptLog::End::kUnsealed));
    REQUIRE(log_.is_closed() == (end == SweptLog::End::kClosed));
  }

  SweptLog& log() { return log_; }
  TamperedLog& tampered() { return tampered_; }
  size_t Pick(size_t bound) { return random_() % bound; }
  const SweptLog::FrameAt& last_frame() const { return log_.frames().back(); }

  void Try(const std::string& what, const FileChanges& damage) {
    const std::string problem = tampered_.Try(damage);
    if (problem.empty()) return;
    INFO("KVS_SEED=" << TestSeed());
    INFO(name_ << ", " << what);
    FAIL(problem);
  }

  // A change of the bytes of one segment.
  template <class Change>
  void TryChange(const std::string& what, uint64_t segment_id, Change change) {
    std::string bytes = log_.Bytes(segment_id);
    change(bytes);
    Try(absl::StrCat(what, " of segment ", segment_id), {{FileLedger::Path(segment_id), std::move(bytes)}});
  }

  // Calls `visit` with places of all segments: those of headers and of the last frame always, of the others one of
  // `sample`, or each in the long tests.
  void ForEachByte(size_t sample, const std::function<void(uint64_t segment_id, uint64_t at)>& visit) {
    for (const SweptLog::SegmentAt& segment : log_.segments()) {
      for (uint64_t at = 0; at < log_.Bytes(segment.id).size(); ++at) {
        if (LongTests() || IsAlwaysTried(segment, at) || Pick(sample) == 0) visit(segment.id, at);
      }
    }
  }

  void ForEachSector(const std::function<void(uint64_t segment_id, uint64_t at)>& visit) {
    for (const SweptLog::SegmentAt& segment : log_.segments()) {
      for (uint64_t at = 0; at < log_.Bytes(segment.id).size(); at += kSectorBytes) visit(segment.id, at);
    }
  }

  void Print(const std::string& what) const { tampered_.Print(absl::StrCat(name_, ", ", what)); }

 private:
  static const char* NameOf(SweptLog::End end) {
    static constexpr const char* kNames[] = {"closed log", "sealed log", "unsealed log"};
    return kNames[static_cast<int>(end)];
  }

  bool IsAlwaysTried(const SweptLog::SegmentAt& segment, uint64_t at) const {
    if (at < kSegmentHeaderBytes) return true;
    const uint64_t begin = log_.BeginOf(segment.id, at);
    const bool is_header_of_frame = begin < segment.valid_bytes && at < begin + kFrameHeaderBytes;
    return is_header_of_frame || (segment.id == last_frame().segment_id && begin == last_frame().offset);
  }

  const std::string name_;
  SweptLog log_;
  TamperedLog tampered_;
  std::mt19937_64 random_{TestSeed()};
};

constexpr auto kAllEnds = {SweptLog::End::kClosed, SweptLog::End::kSealed, SweptLog::End::kUnsealed};

TEST_CASE("sweep: a log truncated at any byte is refused") {
  LogSweep sweep(GENERATE(values(kAllEnds)));
  sweep.ForEachByte(20, [&](uint64_t segment_id, uint64_t size) {
    sweep.TryChange(absl::StrCat("cut to ", size, " bytes"), segment_id,
                    [&](std::string& bytes) { bytes.resize(size); });
  });
  sweep.Print("truncated");
  CHECK(sweep.tampered().count(Outcome::kRefused) >= 5000);
  // The one segment that was not cut yet, where its frames end.
  CHECK(sweep.tampered().count(Outcome::kNoDamage) <= 1);
  CHECK(sweep.tampered().lost_transactions() == 0);
}

TEST_CASE("sweep: a log with any bit flipped is refused, or loses nothing") {
  LogSweep sweep(GENERATE(values(kAllEnds)));
  sweep.ForEachByte(40, [&](uint64_t segment_id, uint64_t at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      if (!LongTests() && sweep.Pick(4) != 0) continue;
      sweep.TryChange(absl::StrCat("bit ", bit, " of byte ", at), segment_id,
                      [&](std::string& bytes) { bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit)); });
    }
  });
  sweep.Print("bits flipped");
  CHECK(sweep.tampered().count(Outcome::kRefused) >= (LongTests() ? 400'000 : 10'000));
  CHECK(sweep.tampered().lost_transactions() == 0);
}

using Sector = std::pair<uint64_t, uint64_t>;  // segment id and offset

// Empty if there is none.
std::string SectorAt(const SweptLog& log, const Sector& sector) {
  const auto file = log.disk().find(FileLedger::Path(sector.first));
  if (file == log.disk().end() || file->second.size() <= sector.second) return "";
  return file->second.substr(sector.second, kSectorBytes);
}

// Puts bytes in the place of a sector.
void TrySector(LogSweep& sweep, const std::string& what, const Sector& sector, const std::string& content) {
  sweep.TryChange(absl::StrCat(what, " at ", sector.second), sector.first,
                  [&](std::string& bytes) { bytes.replace(sector.second, content.size(), content); });
}

TEST_CASE("sweep: a log with any sector zeroed is refused but for the last frame of one that was not sealed") {
  const SweptLog::End end = GENERATE(values(kAllEnds));
  LogSweep sweep(end);
  sweep.ForEachSector([&](uint64_t segment_id, uint64_t at) {
    TrySector(sweep, "zeroed", {segment_id, at}, std::string(kSectorBytes, '\0'));
  });
  sweep.Print("sectors zeroed");
  const SweptLog::FrameAt& last = sweep.last_frame();
  const uint64_t sectors = (last.end - last.offset) / kSectorBytes;
  REQUIRE(sectors >= (end == SweptLog::End::kUnsealed ? 4 : 1));
  CHECK(sweep.tampered().count(Outcome::kLastAbsent) == 0);
  CHECK(sweep.tampered().count(Outcome::kLastTorn) == (end == SweptLog::End::kUnsealed ? sectors : 0));
  CHECK(sweep.tampered().lost_transactions() == sectors * last.count);
  CHECK(sweep.tampered().count(Outcome::kRefused) > 80);
}

TEST_CASE("sweep: a log with any sector set to ones is refused") {
  LogSweep sweep(GENERATE(values(kAllEnds)));
  sweep.ForEachSector([&](uint64_t segment_id, uint64_t at) {
    TrySector(sweep, "set to ones", {segment_id, at}, std::string(kSectorBytes, '\xFF'));
  });
  sweep.Print("sectors set to ones");
  CHECK(sweep.tampered().count(Outcome::kRefused) > 100);
  CHECK(sweep.tampered().lost_transactions() == 0);
}

TEST_CASE("sweep: a log with any sector written over its neighbour is refused, or loses what a zeroed one would") {
  const SweptLog::End end = GENERATE(values(kAllEnds));
  LogSweep sweep(end);
  sweep.ForEachSector([&](uint64_t segment_id, uint64_t at) {
    const std::string content = SectorAt(sweep.log(), {segment_id, at});
    if (at > 0) TrySector(sweep, "overwritten by the one behind it", {segment_id, at - kSectorBytes}, content);
    if (at + kSectorBytes < sweep.log().Bytes(segment_id).size()) {
      TrySector(sweep, "overwritten by the one before it", {segment_id, at + kSectorBytes}, content);
    }
  });
  sweep.Print("sectors written over their neighbours");
  CHECK(sweep.tampered().count(Outcome::kRefused) > 150);
  // The one behind the last frame is zero.
  CHECK(sweep.tampered().count(Outcome::kLastTorn) == (end == SweptLog::End::kUnsealed ? 1 : 0));
  CHECK(sweep.tampered().lost_transactions() == sweep.last_frame().count);
}

TEST_CASE("sweep: a log with any two sectors exchanged is refused") {
  LogSweep sweep(GENERATE(values(kAllEnds)));
  sweep.tampered().Rearrange();
  std::vector<Sector> sectors;
  sweep.ForEachSector([&](uint64_t segment_id, uint64_t at) { sectors.emplace_back(segment_id, at); });
  for (size_t i = 0; i < sectors.size(); ++i) {
    for (size_t j = i + 1; j < sectors.size(); ++j) {
      if (!LongTests() && j > i + 1 && sweep.Pick(12) != 0) continue;
      const auto [a, b] = std::pair(sectors[i], sectors[j]);
      std::map<uint64_t, std::string> changed = {{a.first, sweep.log().Bytes(a.first)},
                                                 {b.first, sweep.log().Bytes(b.first)}};
      changed[a.first].replace(a.second, kSectorBytes, SectorAt(sweep.log(), b));
      changed[b.first].replace(b.second, kSectorBytes, SectorAt(sweep.log(), a));
      FileChanges changes;
      for (auto& [id, bytes] : changed) changes[FileLedger::Path(id)] = bytes;
      sweep.Try(absl::StrCat("sector ", a.second, " of segment ", a.first, " and sector ", b.second, " of segment ",
                             b.first, " exchanged"),
                changes);
    }
  }
  sweep.Print("two sectors exchanged");
  CHECK(sweep.tampered().count(Outcome::kRefused) > (LongTests() ? 8000 : 500));
  CHECK(sweep.tampered().lost_transactions() == 0);
}

// What might lie under a sector of a file from before: the same place in other files of the log, in the same ledger
// before it was made anew, in another ledger, and what the file itself was before it came into use.
std::vector<std::string> StaleContents(const SweptLog& log, const std::vector<const SweptLog*>& others,
                                       const Sector& sector) {
  std::vector<std::string> contents;
  for (const SweptLog::SegmentAt& segment : log.segments()) {
    if (segment.id != sector.first) contents.push_back(SectorAt(log, {segment.id, sector.second}));
  }
  for (const SweptLog* other : others) contents.push_back(SectorAt(*other, sector));
  if (sector.second == 0) {
    SegmentHeader header;
    REQUIRE(DecodeSegmentHeader(SectorAt(log, sector), &header).empty());
    contents.push_back(SpareHeader(header));
  }
  contents.erase(std::remove(contents.begin(), contents.end(), ""), contents.end());
  return contents;
}

TEST_CASE("sweep: a log with stale content in the place of any sector is refused") {
  const SweptLog::End end = GENERATE(values(kAllEnds));
  LogSweep sweep(end);
  sweep.tampered().Rearrange();
  SweptLog earlier({end, 2});
  SweptLog another({end, 1, "another log's id"});
  sweep.ForEachSector([&](uint64_t segment_id, uint64_t at) {
    for (const std::string& content : StaleContents(sweep.log(), {&earlier, &another}, {segment_id, at})) {
      TrySector(sweep, "stale", {segment_id, at}, content);
    }
  });
  sweep.Print("sectors with stale content");
  CHECK(sweep.tampered().count(Outcome::kRefused) > 700);
}

TEST_CASE("sweep: a log with any segment missing, renamed, exchanged or of another ledger is refused") {
  const SweptLog::End end = GENERATE(values(kAllEnds));
  LogSweep sweep(end);
  sweep.tampered().Rearrange();
  SweptLog earlier({end, 2});
  SweptLog another({end, 1, "another log's id"});
  const SweptLog& log = sweep.log();
  const uint64_t last = log.segments().back().id;
  for (const SweptLog::SegmentAt& segment : log.segments()) {
    const std::string path = FileLedger::Path(segment.id);
    const std::string& bytes = log.Bytes(segment.id);
    sweep.Try("missing: " + path, {{path, std::nullopt}});
    for (const uint64_t to : {last + 1, last + 100}) {
      sweep.Try("renamed: " + path, {{path, std::nullopt}, {FileLedger::Path(to), bytes}});
      sweep.Try("copied: " + path, {{FileLedger::Path(to), bytes}});
    }
    for (const SweptLog::SegmentAt& other : log.segments()) {
      if (other.id == segment.id) continue;
      const std::string other_path = FileLedger::Path(other.id);
      sweep.Try(absl::StrCat(path, " in the place of ", other_path), {{other_path, bytes}});
      sweep.Try(absl::StrCat(path, " renamed to ", other_path), {{other_path, bytes}, {path, std::nullopt}});
      sweep.Try(absl::StrCat(path, " exchanged with ", other_path), {{other_path, bytes}, {path, log.Bytes(other.id)}});
    }
    for (const SweptLog* foreign : {&earlier, &another}) {
      if (foreign->disk().count(path) > 0) sweep.Try("foreign: " + path, {{path, foreign->disk().at(path)}});
    }
    // All from one on, as far as the spares that have to be there.
    FileChanges rest;
    for (uint64_t id = segment.id; id <= last; ++id) rest[FileLedger::Path(id)] = std::nullopt;
    if (segment.id > 1) sweep.Try("missing from " + path, rest);
  }
  for (const SweptLog* foreign : {&earlier, &another}) {
    const std::string path = FileLedger::Path(last + 1);
    sweep.Try("foreign spare added", {{path, foreign->disk().rbegin()->second}});
  }
  sweep.Print("segments missing, renamed, exchanged, foreign");
  CHECK(sweep.tampered().count(Outcome::kRefused) > 250);
  CHECK(sweep.tampered().lost_transactions() == 0);
}

TEST_CASE("sweep: a log of which every frame from any on is zero is refused if it was closed or sealed") {
  LogSweep sweep(GENERATE(SweptLog::End::kClosed, SweptLog::End::kSealed));
  for (const SweptLog::FrameAt& frame : sweep.log().frames()) {
    sweep.TryChange(absl::StrCat("zeros from the frame at ", frame.offset), frame.segment_id, [&](std::string& bytes) {
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(frame.offset), bytes.end(), '\0');
    });
  }
  sweep.Print("zeros from a frame on");
  CHECK(sweep.tampered().count(Outcome::kRefused) == sweep.log().frames().size());
}

TEST_CASE("sweep: a log whose mark of being closed was changed in any place is refused") {
  LogSweep sweep(SweptLog::End::kClosed);
  const std::string path = SweptLog::MarkPath();
  const std::string mark = sweep.log().disk().at(path);
  for (size_t at = 0; at < mark.size(); ++at) {
    sweep.Try(absl::StrCat("mark cut to ", at, " bytes"), {{path, mark.substr(0, at)}});
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::string changed = mark;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      sweep.Try(absl::StrCat("bit ", bit, " of byte ", at, " of the mark"), {{path, changed}});
    }
  }
  const SweptLog earlier({SweptLog::End::kClosed, 2});
  const SweptLog another({SweptLog::End::kClosed, 1, "another log's id"});
  for (const std::string& content : {std::string(kSectorBytes, '\0'), std::string(kSectorBytes, '\xFF'), mark + mark,
                                     earlier.disk().at(path), another.disk().at(path)}) {
    sweep.Try("another mark", {{path, content}});
  }
  CHECK(sweep.tampered().count(Outcome::kRefused) == 9 * kSectorBytes + 5);
  sweep.Try("mark missing", {{path, std::nullopt}});
  CHECK(sweep.tampered().count(Outcome::kNoDamage) == 1);
  CHECK(sweep.tampered().lost_transactions() == 0);
  sweep.Print("mark changed");
}

}  // namespace
}  // namespace kvs::txn
