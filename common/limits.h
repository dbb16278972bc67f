// Every fixed limit, by name. Configurable ones name their flag and give its default. Limits are checked before
// anything is logged and, but for what kMaxKeyBytes says, never during replay, so that lowering one cannot make a
// ledger unreadable. docs/configuration.md and docs/errors.md tell users about them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvs {

inline constexpr size_t kKiB = 1024;
inline constexpr size_t kMiB = 1024 * kKiB;

// Keys, set members and map field names, in bytes of UTF-8. A PostgreSQL index entry holds 2,704 bytes. May be raised
// but not lowered: the ledger in PostgreSQL takes longer ones, when it reads its rows, for changes made by hand.
inline constexpr size_t kMaxKeyBytes = 1024;

// A string, a map field's value, or everything that one mutation carries.
inline constexpr size_t kMaxValueBytes = 1 * kMiB;

// --max-memory, --max-keys: the largest limits, far beyond any machine. By default there are none.
inline constexpr uint64_t kMaxMaxMemoryBytes = uint64_t{1} << 50;
inline constexpr uint64_t kMaxMaxKeys = uint64_t{1} << 40;

// --max-collection-bytes: what a set or map may grow to, counting members, names and values.
inline constexpr size_t kDefaultMaxCollectionBytes = 64 * kMiB;

// The payload of one reply; whatever is larger has to be paged through.
inline constexpr size_t kMaxReplyBytes = 3 * kMiB;

// The results of a batch. One reply of the largest size fits, with what a batch adds to it; so do, within the 4 MiB
// that clients take by default, the errors of kMaxBatchOperations operations for which no room is left.
inline constexpr size_t kMaxBatchReplyBytes = kMaxReplyBytes + 64 * kKiB;

// Answers of one Batch.Pipeline that wait, for the ledger or for the client to read them; past either of the two, the
// next batch is not read. The memory of one more batch may come on top.
inline constexpr size_t kMaxPipelineMessages = 256;
inline constexpr size_t kMaxPipelineBytes = 8 * kMiB;

// What answers may take that clients have not taken, of all clients together. UntakenAnswers tells what is past it.
// Pipelines share it, where so many are open that they would hold more than that.
inline constexpr size_t kMaxUntakenBytes = 64 * kMiB;

// Streams of Batch.Pipeline at a time, of all clients together.
inline constexpr size_t kMaxPipelines = 1000;

// A value in the details of an error, serialized. Details travel in HTTP/2 trailers, in base64, of which many clients
// take 8 KiB in all.
inline constexpr size_t kMaxDetailValueBytes = 2 * kKiB;

// How long a key may live, in days: about a hundred years. An expiry stays within the years that a Timestamp has.
inline constexpr int64_t kMaxTtlDays = 36500;

// The pages of ListMembers and ListFields.
inline constexpr uint32_t kDefaultPageEntries = 1000;
inline constexpr uint32_t kMaxPageEntries = 10000;
inline constexpr size_t kMaxPageBytes = 1 * kMiB;

// The keys in one message of Keys.List and Keys.Scan, and what a message of Keys.Scan aims at; one value may be larger.
inline constexpr size_t kListChunkKeys = 1000;
inline constexpr size_t kScanMessageBytes = 64 * kKiB;

// The members, or names and values, in one entry of Keys.Scan, but for a single field that is larger.
inline constexpr size_t kScanPartBytes = 256 * kKiB;

// Lists and scans under way at a time.
inline constexpr size_t kMaxScans = 64;

// --scan-idle-timeout: how long one of them may stand still, since its client takes nothing, before it has to make room
// for another one.
inline constexpr int64_t kDefaultScanIdleSeconds = 10;

// --max-scan-bytes: what is kept for all lists and scans under way, of what was changed since they began.
inline constexpr size_t kDefaultMaxScanBytes = 256 * kMiB;

// A request to kvs_server; gRPC answers RESOURCE_EXHAUSTED past it.
inline constexpr size_t kMaxRequestBytes = 4 * kMiB;

// The operations of a batch, and the keys of a call that takes many.
inline constexpr size_t kMaxBatchOperations = 10000;

// One indivisible record of the ledger: an atomic batch.
inline constexpr size_t kMaxRecordBytes = 4 * kMiB;

// What a client may call a request, in bytes of UTF-8.
inline constexpr size_t kMaxRequestIdBytes = 128;

// The answer to a request with an id, serialized, as it is remembered for a retry.
inline constexpr size_t kMaxAnswerBytes = 1 * kMiB;

// --request-window-count, --request-window-age, and the bytes of their ids, actors and answers: how many requests are
// remembered. The ledgers remember as many as may ever be asked for, so that a setting can be raised again. By default
// the age and the bytes decide.
inline constexpr uint64_t kDefaultRequestWindowCount = 1000000;
inline constexpr uint64_t kMaxRequestWindowCount = 1000000;
inline constexpr int64_t kDefaultRequestWindowMinutes = 60;
inline constexpr int64_t kMinRequestWindowMinutes = 10;
inline constexpr int64_t kMaxRequestWindowMinutes = 24 * 60;
inline constexpr size_t kRequestWindowBytes = 64 * kMiB;

// Clients of this project send a request again for no longer than this, well inside of every window age.
inline constexpr int64_t kMaxRetryMinutes = 5;

// Frames between the servers: what writers aim at, and what readers accept.
inline constexpr size_t kTargetFrameBytes = 1 * kMiB;
inline constexpr size_t kMaxFrameBytes = 16 * kMiB;

// --segment-size. A segment holds a frame of the largest size with as much again to spare. A larger one makes a start
// slower, which writes up to two segments of zeros (a quarter of a second each on a disk of 125 MB/s); with a smaller
// one the headers of segments are written more often than every few tens of large frames.
inline constexpr size_t kDefaultSegmentBytes = 32 * kMiB;

// --compaction-min-size, --compaction-percent: how much is logged before the next snapshot.
inline constexpr size_t kDefaultCompactionMinBytes = 4 * kMiB;
inline constexpr uint64_t kDefaultCompactionPercent = 100;

// --ballast-size: what is kept free for snapshots. Smaller than a segment, so that it is not taken for one.
inline constexpr size_t kDefaultBallastBytes = 8 * kMiB;

// --max-pending-bytes: transactions that the ledger has not acknowledged.
inline constexpr size_t kDefaultMaxPendingBytes = 64 * kMiB;

// --max-waiting-replies: replies that wait for something to become durable. Each takes about 15 KB with its call.
inline constexpr size_t kDefaultMaxWaitingReplies = 20000;

}  // namespace kvs
